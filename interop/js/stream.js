'use strict'

const { createConnection, createServer, DataAndMoneyStream } = require('ilp-protocol-stream')

// The library keeps a field of this name, which later versions of node define
// on every stream as a getter alone: the assignment would throw.
Object.defineProperty(DataAndMoneyStream.prototype, 'closed', { value: false, writable: true })

// What a stream of ours takes. Less than 2^64 by so much that the one per cent
// which the library adds does not overflow.
const RECEIVE_MAX = '9000000000000000000'

/** A STREAM server that takes all it is sent, and counts it. */
class Receiver {
  constructor () {
    this.total = 0n
    this.server = null
  }

  async listen (plugin) {
    this.server = await createServer({ plugin })
    this.server.on('connection', (connection) => {
      connection.on('error', (err) => process.stderr.write(`receiving: ${err.message}\n`))
      connection.on('stream', (stream) => {
        stream.setReceiveMax(RECEIVE_MAX)
        stream.on('money', (amount) => { this.total += BigInt(amount) })
      })
    })
  }

  /** Where, and with which secret, to pay next: an address is one connection. */
  invite () {
    const { destinationAccount, sharedSecret } = this.server.generateAddressAndSecret()
    return { address: destinationAccount, secret: sharedSecret.toString('hex') }
  }
}

/**
 * Pays amount, in units of the sender, over a connection of its own, and
 * returns what was sent and, by the word of the receiver, delivered.
 */
async function pay (plugin, { address, secret, amount }) {
  const connection = await createConnection({
    plugin,
    destinationAccount: address,
    sharedSecret: Buffer.from(secret, 'hex')
  })
  let fault
  connection.on('error', (err) => { fault = err })
  try {
    await connection.createStream().sendTotal(amount)
    await connection.end()
  } catch (err) {
    throw fault || err // fault is the cause; err says that the stream has ended
  }
  return { sent: connection.totalSent, delivered: connection.totalDelivered }
}

module.exports = { Receiver, pay }
