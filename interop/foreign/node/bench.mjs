// Measures panva/jose: node bench.mjs FOLDER WARM-UP-MS MEASURE-MS
// FOLDER is made by ../../bench.sh. Prints one line of JSON for each cell.
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompactEncrypt, CompactSign, compactDecrypt, compactVerify, importPKCS8, importSPKI } from 'jose'

const [dir, warmUp, measure] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const text = (name) => readFileSync(join(dir, name), 'utf8')
const now = () => Number(process.hrtime.bigint())

// Keys become CryptoKeys once.
async function keys(rsa) {
  const customer = text(`customer-${rsa}.pem`)
  const provider = text(`provider-${rsa}.pem`)
  const spki = (pem) => createPublicKey(pem).export({ type: 'spki', format: 'pem' })
  return {
    sign: await importPKCS8(customer, 'RS256'),
    verify: await importSPKI(spki(customer), 'RS256'),
    encrypt: await importSPKI(spki(provider), 'RSA-OAEP-256'),
    decrypt: await importPKCS8(provider, 'RSA-OAEP-256'),
  }
}

// clients is how many exchanges, each a request that is opened and an answer that is sealed, are under way at once.
const clients = 32

const encoder = new TextEncoder()
const inner = { alg: 'RS256', kid: 'customer' }
const outer = { alg: 'RSA-OAEP-256', enc: 'A256GCM' }
const outerAllowed = { keyManagementAlgorithms: ['RSA-OAEP-256'], contentEncryptionAlgorithms: ['A256GCM'] }
const innerAllowed = { algorithms: ['RS256'] }

async function seal(k, payload) {
  const signed = await new CompactSign(payload).setProtectedHeader(inner).sign(k.sign)
  return new CompactEncrypt(encoder.encode(signed)).setProtectedHeader(outer).encrypt(k.encrypt)
}

async function open(k, token) {
  const { plaintext } = await compactDecrypt(token, k.decrypt, outerAllowed)
  const { payload } = await compactVerify(plaintext, k.verify, innerAllowed)
  return payload
}

// time returns nanoseconds per operation. lanes is how many are under way at
// once: WebCrypto works on another thread, and where the two share a core an
// operation alone waits for two switches of threads.
async function time(f, ms, lanes) {
  const start = now()
  const end = start + ms * 1e6
  let n = 0
  const lane = async () => {
    do {
      await f()
      n++
    } while (now() < end)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return (now() - start) / n
}

for (const rsa of [2048, 3072, 4096]) {
  const k = await keys(rsa)
  for (const size of ['1KiB', '100KiB', '10MiB']) {
    const payload = new Uint8Array(readFileSync(join(dir, `payload-${size}`)))
    const token = text(`token-${rsa}-${size}`) // sealed by Sealane
    const mine = await open(k, await seal(k, payload))
    for (const got of [mine, await open(k, token)]) {
      if (Buffer.compare(got, payload) !== 0) throw new Error(`${rsa} ${size}: not opened to what was sealed`)
    }
    for (const [op, f] of [['seal', () => seal(k, payload)], ['open', () => open(k, token)]]) {
      await time(f, warmUp, 1)
      // The better of the two counts. What is large is bound by memory, and never gains.
      let ns = await time(f, measure, 1)
      const alone = ns
      if (size !== '10MiB') ns = Math.min(ns, await time(f, measure, 4))
      console.log(JSON.stringify({ impl: 'panva', op, rsa, size, ns: Math.round(ns), alone: Math.round(alone) }))
    }
    if (size === '1KiB') {
      const exchange = async () => {
        await open(k, token)
        await seal(k, payload)
      }
      await time(exchange, warmUp, clients)
      const ns = Math.round(await time(exchange, 4 * measure, clients))
      console.log(JSON.stringify({ impl: 'panva', op: 'exchange', rsa, size, clients, ns }))
    }
  }
}
