package httprates

// Parse reads a document.
var Parse = parse
