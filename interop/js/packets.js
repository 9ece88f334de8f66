'use strict'

/** ILP packets as the Go test writes and reads them: see lines.js. */

const {
  deserializeIlpPrepare,
  deserializeIlpReply,
  isFulfill,
  serializeIlpFulfill,
  serializeIlpPrepare,
  serializeIlpReject
} = require('ilp-packet')

const bytes = (hex = '') => Buffer.from(hex, 'hex')

function parsePrepare (packet) {
  const { amount, expiresAt, executionCondition, destination, data } = deserializeIlpPrepare(packet)
  return {
    amount,
    expiresAt: expiresAt.toISOString(),
    condition: executionCondition.toString('hex'),
    destination,
    data: data.toString('hex')
  }
}

function writePrepare ({ amount, expiresAt, condition, destination, data }) {
  return serializeIlpPrepare({
    amount,
    expiresAt: new Date(expiresAt),
    executionCondition: bytes(condition),
    destination,
    data: bytes(data)
  })
}

function parseReply (packet) {
  const reply = deserializeIlpReply(packet)
  const data = reply.data.toString('hex')
  if (isFulfill(reply)) return { fulfillment: reply.fulfillment.toString('hex'), data }
  const { code, triggeredBy, message } = reply
  return { code, triggeredBy, message, data }
}

function writeReply ({ fulfillment, code, triggeredBy, message, data }) {
  if (fulfillment) return serializeIlpFulfill({ fulfillment: bytes(fulfillment), data: bytes(data) })
  return serializeIlpReject({ code, triggeredBy, message, data: bytes(data) })
}

module.exports = { parsePrepare, parseReply, writePrepare, writeReply }
