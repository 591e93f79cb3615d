# Serves a Rack application, one request at a time. Usage: ruby rack.rb FILE; the port is in PORT.
require "socket"
require "stringio"

def run(application) = $application = application
load ARGV.fetch(0)

def environment(socket)
  return if (line = socket.gets("\r\n")).nil?

  environment = { "REQUEST_METHOD" => line.split.first }
  while (line = socket.gets("\r\n")) && line != "\r\n"
    name, value = line.chomp("\r\n").split(":", 2)
    environment["HTTP_#{name.upcase.tr('-', '_')}"] = value.strip
  end
  body = socket.read(environment["HTTP_CONTENT_LENGTH"].to_i)
  return if body.nil? || body.bytesize < environment["HTTP_CONTENT_LENGTH"].to_i

  environment.merge("rack.input" => StringIO.new(body))
end

def respond(socket)
  return if (environment = environment(socket)).nil?

  status = begin
    $application.call(environment).first
  rescue StandardError
    500
  end
  socket.write("HTTP/1.1 #{status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
rescue SystemCallError
  nil # the client went away
end

server = TCPServer.new("127.0.0.1", Integer(ENV.fetch("PORT")))
loop do
  socket = server.accept
  socket.binmode
  respond(socket)
  socket.close
end
