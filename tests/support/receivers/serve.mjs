// Serves a function that takes a Request and returns a Response, as the hosts of such functions do.
// Usage: node serve.mjs FILE EXPORT; the port is in PORT.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [file, name] = process.argv.slice(2);
const handle = (await import(pathToFileURL(file)))[name];

createServer((incoming, outgoing) => {
  const chunks = [];
  incoming.on("data", (chunk) => chunks.push(chunk));
  incoming.on("end", async () => {
    try {
      const { method, headers } = incoming;
      const request = new Request(`http://localhost${incoming.url}`, { method, headers, body: Buffer.concat(chunks) });
      const response = await handle(request);
      outgoing.writeHead(response.status).end(Buffer.from(await response.arrayBuffer()));
    } catch {
      outgoing.writeHead(500).end();
    }
  });
}).listen(process.env.PORT, "127.0.0.1");
