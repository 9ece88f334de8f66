'use strict'

/**
 * The conversation with the Go test: JSON, one value to a line.
 *
 *   test:  {"id": 1, "call": "pay", "with": {…}}   on stdin
 *   peer:  {"id": 1, "result": {…}}                on stdout, in any order
 *          {"id": 1, "error": "…"}
 *          {"event": "disconnect"}                 whenever it happens
 *
 * Amounts are decimal text, since a number of JavaScript does not hold 64
 * bits; bytes are hexadecimal text.
 */

const readline = require('readline')

function write (value) {
  process.stdout.write(JSON.stringify(value) + '\n')
}

/** Tells the test of something that it did not ask for. */
function event (name, detail = {}) {
  write({ event: name, ...detail })
}

/**
 * Answers calls with what the methods of that name return, several at a time
 * if they come so. When the test closes stdin, or dies, the process ends.
 */
function serve (methods) {
  const input = readline.createInterface({ input: process.stdin, terminal: false })
  input.on('line', async (line) => {
    const { id, call, with: args = {} } = JSON.parse(line)
    try {
      if (!Object.hasOwn(methods, call)) throw new Error(`no such call: ${call}`)
      write({ id, result: await methods[call](args) })
    } catch (err) {
      write({ id, error: err.message })
      process.stderr.write(`${call}: ${err.stack}\n`)
    }
  })
  input.on('close', () => process.exit(0))
}

module.exports = { event, serve }
