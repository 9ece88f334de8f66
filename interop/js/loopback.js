'use strict'

const http = require('http')

/**
 * Options of ilp-plugin-btp, of which the listener, if there is one, listens
 * on the loopback interface, whatever port 0 gives it, and its server.
 *
 * The plugin hands its port to listen() of the server as it is, and listen()
 * takes an address as well.
 */
function onLoopback (options) {
  if (!options.listener) return { options }
  const server = http.createServer()
  const { port, ...listener } = options.listener
  listener.port = { host: '127.0.0.1', port }
  listener.wsOpts = { server }
  return { options: { ...options, listener }, server }
}

module.exports = { onLoopback }
