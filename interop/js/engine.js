'use strict'

/**
 * Two settlement engines built on ilp-settlement-core, one for each of two
 * connectors, which pay each other. Their ledger counts in millionths: what is
 * finer stays with the engine that has to pay it.
 *
 *   node engine.js '{"connectors": {"alice": "http://…", "bob": "http://…"}, "account": "peer"}'
 */

const http = require('http')
const { BigNumber } = require('bignumber.js')
const { createMemoryStore, startServer } = require('ilp-settlement-core')
const { serve } = require('./lines')

const { connectors, account } = JSON.parse(process.argv[2])
const engines = {}
const payments = []

// startServer listens on all interfaces, and says nothing of its server: here
// it gets the loopback interface, and whatever port there is.
let listening
const listen = http.Server.prototype.listen
http.Server.prototype.listen = function () {
  listening = new Promise((resolve) => this.once('listening', () => resolve(this.address().port)))
  return listen.call(this, { host: '127.0.0.1', port: 0 })
}

async function start (name, other) {
  const store = createMemoryStore()
  const engine = { store, messages: [] }
  engines[name] = engine
  await startServer(async (services) => {
    engine.services = services
    return {
      async settle (_, amount) {
        const paid = amount.decimalPlaces(6, BigNumber.ROUND_DOWN)
        if (paid.isGreaterThan(0)) {
          payments.push({ from: name, amount: paid.toFixed() })
          engines[other].services.creditSettlement(account, paid)
        }
        return paid
      },
      async handleMessage (_, message) {
        return { reader: name, read: message }
      }
    }
  }, store, { connectorUrl: connectors[name] })
  engine.port = await listening
}

async function ready () {
  if (!engines.alice) {
    await start('alice', 'bob')
    await start('bob', 'alice')
  }
}

serve({
  async start () {
    await ready()
    return { alice: `http://127.0.0.1:${engines.alice.port}`, bob: `http://127.0.0.1:${engines.bob.port}` }
  },
  async payments () { return payments },
  /** Resolves when both engines have been told of their account. */
  async accounts () {
    while (!(await engines.alice.store.isExistingAccount(account) && await engines.bob.store.isExistingAccount(account))) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  },
  /** Money that has arrived for an engine from elsewhere. */
  async credit ({ engine, amount, id }) {
    await engines[engine].services.creditSettlement(account, new BigNumber(amount), id)
  },
  /** What an engine thinks its connector has not been credited with. */
  async uncredited ({ engine }) { return (await engines[engine].store.loadAmountToCredit(account)).toFixed() },
  async message ({ engine, text }) { return engines[engine].services.sendMessage(account, { text }) }
})
