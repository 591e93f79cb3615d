"""What all layers share: the domain's types, ports, errors, time, redaction and files."""
