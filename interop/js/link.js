'use strict'

const http = require('http')
const BtpPlugin = require('ilp-plugin-btp')
const { deserializeIlpPrepare, serializeIlpReject } = require('ilp-packet')

/**
 * One ilp-plugin-btp, client or listener, shared by several users.
 *
 * The libraries above a plugin take it for their own: they register the one
 * data handler, and disconnect when they are done. Each gets a plugin of its
 * own here (see share) in front of the one link, so that a process can
 * receive and pay, and pay again, over the same socket.
 */
class Link {
  /**
   * @param options those of ilp-plugin-btp. A listener listens on the loopback
   *   interface, whatever port 0 gives it.
   * @param event is told "connect" and "disconnect", and "refused" with the
   *   reason if the server does not accept the token.
   */
  constructor (options, event) {
    this.users = []
    if (options.listener) {
      this.server = http.createServer()
      const { port, ...listener } = options.listener
      // The plugin hands its port to listen() of the server as it is, and
      // listen() takes an address as well.
      listener.port = { host: '127.0.0.1', port }
      options = { ...options, listener: { ...listener, wsOpts: { server: this.server } } }
    }
    this.plugin = new BtpPlugin(options, { log: logger(event) })
    this.plugin.registerDataHandler((data) => this.dispatch(data))
    this.plugin.on('connect', () => event('connect'))
    this.plugin.on('disconnect', () => event('disconnect'))
  }

  /** Dials, and returns when the server has accepted the token. */
  connect () {
    return this.plugin.connect()
  }

  /** Listens, and returns the port; a client may come later. */
  async listen () {
    const listening = new Promise((resolve) => this.server.once('listening', resolve))
    this.plugin.connect().catch((err) => process.stderr.write(`${err.stack}\n`))
    await listening
    return this.server.address().port
  }

  /** Sends an ILP packet and returns the reply, both as bytes. */
  send (packet) {
    return this.plugin.sendData(packet)
  }

  /**
   * A plugin on this link, whose data handler takes the packets to those
   * destinations that owns(destination) says are its own. The user that came
   * last is asked first.
   */
  share (owns) {
    const leave = () => { this.users = this.users.filter((user) => user.owns !== owns) }
    return {
      connect: async () => {},
      disconnect: async () => {},
      isConnected: () => this.plugin.isConnected(),
      sendData: (packet) => this.send(packet),
      sendMoney: async () => {},
      registerDataHandler: (handler) => this.users.unshift({ owns, handler }),
      deregisterDataHandler: leave,
      registerMoneyHandler: () => {},
      deregisterMoneyHandler: () => {}
    }
  }

  dispatch (packet) {
    const { destination } = deserializeIlpPrepare(packet)
    const user = this.users.find(({ owns }) => owns(destination))
    if (user) return user.handler(packet)
    return serializeIlpReject({
      code: 'F02',
      triggeredBy: 'test.js',
      message: `nobody receives at ${destination}`,
      data: Buffer.alloc(0)
    })
  }
}

/**
 * The plugin reports a refused token nowhere but in its log, and its connect()
 * fails with "connection aborted" whatever the reason.
 */
function logger (event) {
  const silent = () => {}
  return {
    info: silent,
    debug: silent,
    trace: silent,
    warn: (...message) => console.error(...message),
    error: (...message) => {
      console.error(...message)
      if (message[0] === 'error authenticating btp connection') {
        event('refused', { reason: message[1] })
      }
    }
  }
}

module.exports = { Link }
