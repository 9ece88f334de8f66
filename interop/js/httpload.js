'use strict'

/**
 * One side of a load over ilp-plugin-http, for the program internal/httpload:
 *
 *   node httpload.js serve '{"token": "…"}'
 *     writes the port as a line, fulfils every packet, and answers each line
 *     of stdin with the microseconds of processor time it has taken
 *   node httpload.js send '{"url": "…", "token": "…", "window": 50, "seconds": 5, "data": 300}'
 *     keeps so many packets in flight, and writes {"packets", "seconds", "cpu"}
 */

const readline = require('readline')
const { serializeIlpFulfill, serializeIlpPrepare, deserializeIlpReply, isFulfill } = require('ilp-packet')
const PluginHttp = require('ilp-plugin-http')
const crypto = require('crypto')

const fulfillment = Buffer.alloc(32, 7)
const cpu = () => { const { user, system } = process.cpuUsage(); return user + system }

const open = async (url, token) => {
  const plugin = new PluginHttp({
    incoming: { port: { host: '127.0.0.1', port: 0 }, staticToken: token },
    outgoing: { url, staticToken: token, name: 'load' }
  })
  await plugin.connect()
  return plugin
}

const serve = async ({ token }) => {
  const plugin = await open('http://127.0.0.1:9', token)
  const reply = serializeIlpFulfill({ fulfillment, data: Buffer.alloc(0) })
  plugin.registerDataHandler(async () => reply)
  if (!plugin._httpServer.listening) await new Promise((resolve) => plugin._httpServer.once('listening', resolve))
  console.log(plugin._httpServer.address().port)
  const lines = readline.createInterface({ input: process.stdin, terminal: false })
  lines.on('line', () => console.log(cpu()))
  lines.on('close', () => process.exit(0))
}

const send = async ({ url, token, window, seconds, data }) => {
  const plugin = await open(url, token)
  const prepare = {
    amount: '1000000',
    executionCondition: crypto.createHash('sha256').update(fulfillment).digest(),
    destination: 'test.load.sink.wallet',
    data: Buffer.alloc(data)
  }
  const run = async (seconds) => {
    const start = Date.now()
    const from = cpu()
    let packets = 0
    await Promise.all(Array.from({ length: window }, async () => {
      while (Date.now() - start < seconds * 1000) {
        const packet = serializeIlpPrepare({ ...prepare, expiresAt: new Date(Date.now() + 30000) })
        if (!isFulfill(deserializeIlpReply(await plugin.sendData(packet)))) throw new Error('not fulfilled')
        packets++
      }
    }))
    return { packets, seconds: (Date.now() - start) / 1000, cpu: cpu() - from }
  }
  await run(seconds / 5) // warm up
  console.log(JSON.stringify(await run(seconds)))
  process.exit(0)
}

const [, , role, options] = process.argv
const roles = { serve, send }
roles[role](JSON.parse(options)).catch((err) => {
  console.error(err)
  process.exit(1)
})
