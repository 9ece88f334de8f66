'use strict'

/**
 * The JavaScript connector, led by a Go test over stdin and stdout:
 *
 *   node connector.js '{"ilpAddress": "test.alice", "accounts": {…}}'
 *
 * The argument is its configuration, which its schema checks as it does for
 * everybody. Two things are put in that a deployment would have otherwise:
 * listeners of ilp-plugin-btp and the admin API may have port 0, and the log
 * goes to stderr. The event "listening" tells the port of an account's
 * listener. It ends with its stdin.
 */

const http = require('http')
const { default: reduct } = require('reduct')
const { createApp } = require('ilp-connector')
const { default: AdminApi } = require('ilp-connector/dist/services/admin-api')
const { setOutputStream } = require('ilp-connector/dist/common/log')
const { event, serve } = require('./lines')

setOutputStream(process.stderr)

const config = JSON.parse(process.argv[2])
for (const [id, { options }] of Object.entries(config.accounts)) {
  if (!options.listener) continue
  // The plugin hands its port to listen() of the server as it is, and listen()
  // takes an address as well.
  const server = http.createServer()
  options.listener.port = { host: '127.0.0.1', port: options.listener.port }
  options.listener.wsOpts = { server }
  server.once('listening', () => event('listening', { account: id, port: server.address().port }))
}
const services = reduct()
const connector = createApp(config, services)

serve({
  /** Starts the connector, and returns the port of its admin API. */
  start: async () => {
    connector.listen() // and goes on until all accounts are connected
    const { server } = services(AdminApi)
    if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
    return { port: server.address().port }
  }
})
