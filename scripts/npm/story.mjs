// Pushes, pops and acks with an npm client and its default settings: node story.mjs ioredis|redis URL
import assert from 'node:assert/strict'

const [name, url] = process.argv.slice(2)

// connect returns a function that sends a command, and one that ends.
const clients = {
  async ioredis() {
    const { default: Redis } = await import('ioredis')
    const redis = new Redis(url)
    return [(...args) => redis.call(...args), () => redis.quit()]
  },
  async redis() {
    const { createClient } = await import('redis')
    const client = createClient({ url })
    client.on('error', (err) => console.error(err))
    await client.connect()
    return [(...args) => client.sendCommand(args), () => client.close()]
  },
}

const [send, end] = await clients[name]()
for (const [want, ...command] of [
  ['PONG', 'PING'],
  ['OK', 'QLPUSH', 'q', 'id', 'hello'],
  [['id', 'hello'], 'QRPOP', 'q', 'EX', '10'],
  [1, 'QACK', 'q', 'id', 'REDO'],
  [[['id', 'hello', 2]], 'QRPOP', 'q', 'COUNT', '10'],
  [1, 'QACK', 'q', 'id'],
  [null, 'QRPOP', 'q'],
]) {
  const got = await send(...command)
  if (command.includes('COUNT')) got.forEach((row) => row.splice(3)) // the lease's token, new each time
  assert.deepEqual(got, want, command.join(' '))
}

// What is sent without waiting goes as a pipeline.
const ids = Array.from({ length: 1000 }, (_, i) => String(i))
await Promise.all(ids.map((id) => send('QLPUSH', 'p', id, 'x')))
const popped = await send('QRPOP', 'p', 'COUNT', '1000')
assert.deepEqual(popped.map(([id]) => id), ids)
const acks = await Promise.all(ids.map((id) => send('QACK', 'p', id)))
assert.ok(acks.every((n) => n === 1))
await end()
