'use strict'

/**
 * A JavaScript Interledger node at the far end of a link, led by a Go
 * test over stdin and stdout:
 *
 *   node peer.js '{"server": "btp+ws://alice:token@127.0.0.1:7768"}'
 *   node peer.js '{"listener": {"port": 0, "secret": "token"}}'
 *   node peer.js '{"http": {"incoming": {"port": 0, …}, "outgoing": {"url": …}}}'
 *   node peer.js '{"miniAccounts": {"port": 0}}'
 *
 * The argument is the options of ilp-plugin-btp, or those of ilp-plugin-http or
 * of ilp-plugin-mini-accounts. The calls are the methods
 * below; lines.js says how they are written.
 */

const ildcp = require('ilp-protocol-ildcp')
const { event, serve } = require('./lines')
const { Link } = require('./link')
const { parsePrepare, parseReply, writePrepare, writeReply } = require('./packets')
const { pay, Receiver } = require('./stream')

const link = new Link(JSON.parse(process.argv[2]), event)
const receiver = new Receiver()
const taken = []

/** Our address, by the word of the connector, and the asset of the account. */
const configuration = () => ildcp.fetch((packet) => link.send(packet))

serve({
  /** Dials, and waits until the connector has accepted us. */
  connect: () => link.connect(),

  /** Listens for the connector. The event "connect" says when it is there. */
  listen: async () => ({ port: await link.listen() }),

  /** Asks for address and asset (ILDCP). */
  configure: async () => {
    const { clientAddress, assetCode, assetScale } = await configuration()
    return { address: clientAddress, assetCode, assetScale }
  },

  /** Starts a STREAM server. */
  receive: async () => {
    const { clientAddress } = await configuration()
    await receiver.listen(link.share((destination) => destination.startsWith(clientAddress + '.')))
  },

  /** The {address, secret} that one payment can be made to. */
  invite: () => receiver.invite(),

  /** What the STREAM server has received so far, in units of our account. */
  received: () => ({ total: String(receiver.total) }),

  /** Pays over STREAM: {address, secret, amount} to {sent, delivered}. */
  pay: async (payment) => {
    const { clientAddress } = await configuration()
    return pay(link.share((destination) => destination === clientAddress), payment)
  },

  /** Sends one bare prepare and returns the reply. */
  send: async (prepare) => parseReply(await link.send(writePrepare(prepare))),

  /** Answers every packet from now on with the given reply. */
  answer: (reply) => {
    link.share(() => true).registerDataHandler((packet) => {
      taken.push(parsePrepare(packet))
      return writeReply(reply)
    })
  },

  /** The packets that "answer" has answered. */
  taken: () => taken,

  /** Throws at every packet from now on, which the plugin answers with a BTP error. */
  fail: ({ message }) => {
    link.share(() => true).registerDataHandler(() => { throw new Error(message) })
  },
})
