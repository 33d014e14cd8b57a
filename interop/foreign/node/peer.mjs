// panva/jose as a peer of the matrix (../../matrix_test.go). Reads jobs from
// standard input until it ends, and answers each on standard output; what
// stands in both is told in ../../foreign_peer_test.go.
import { CompactEncrypt, CompactSign, compactDecrypt, compactVerify, importPKCS8, importSPKI } from 'jose'

const maxHead = 64 << 10
const maxBody = 64 << 20

const encoder = new TextEncoder()

// A CryptoKey is for one algorithm; each is imported once.
const imported = new Map()
function key(importer, pem, alg) {
  const id = `${alg} ${pem}`
  if (!imported.has(id)) imported.set(id, importer(pem, alg))
  return imported.get(id)
}

async function seal(job, payload) {
  let content = payload
  if (job.signed) {
    const signed = await new CompactSign(payload)
      .setProtectedHeader({ alg: job.signature, ...job.inner })
      .sign(await key(importPKCS8, job.private, job.signature))
    content = encoder.encode(signed)
  }
  const token = await new CompactEncrypt(content)
    .setProtectedHeader({ alg: job.keyEncryption, enc: job.content, ...job.outer })
    .encrypt(await key(importSPKI, job.public, job.keyEncryption))
  return { body: Buffer.from(token) }
}

async function open(job, token) {
  const decrypted = await compactDecrypt(token, await key(importPKCS8, job.private, job.keyEncryption), {
    keyManagementAlgorithms: [job.keyEncryption],
    contentEncryptionAlgorithms: [job.content],
  })
  const outerKid = decrypted.protectedHeader.kid
  if (!job.signed) return { outerKid, body: decrypted.plaintext }
  const verified = await compactVerify(decrypted.plaintext, await key(importSPKI, job.public, job.signature), {
    algorithms: [job.signature],
  })
  return { outerKid, innerKid: verified.protectedHeader.kid, body: verified.payload }
}

// jobs returns [head, body] of each job. An end of input within one is an error.
async function* jobs(input) {
  let text = []
  let size = 0
  let head = null
  let body = null
  let filled = 0
  for await (let chunk of input) {
    while (chunk.length > 0) {
      if (head === null) {
        const end = chunk.indexOf(10)
        const part = end < 0 ? chunk : chunk.subarray(0, end)
        text.push(part)
        size += part.length
        if (size > maxHead) throw new Error('the head of a job is too long')
        if (end < 0) break
        chunk = chunk.subarray(end + 1)
        head = JSON.parse(Buffer.concat(text).toString())
        if (!(head.length >= 0 && head.length <= maxBody)) throw new Error(`a job of ${head.length} bytes`)
        body = Buffer.alloc(head.length)
        filled = 0
      }
      const taken = chunk.copy(body, filled)
      filled += taken
      chunk = chunk.subarray(taken)
      if (filled < body.length) break
      yield [head, body]
      text = []
      size = 0
      head = null
    }
  }
  if (head !== null || size > 0) throw new Error('the input ended within a job')
}

function write(bytes) {
  return new Promise((resolve, reject) => process.stdout.write(bytes, (e) => (e ? reject(e) : resolve())))
}

for await (const [job, input] of jobs(process.stdin)) {
  let answer
  try {
    answer = await (job.op === 'seal' ? seal : open)(job, input)
  } catch (e) {
    answer = { error: `${e.code ?? e.name}: ${e.message}`, body: Buffer.alloc(0) }
  }
  const { body, ...head } = answer
  await write(JSON.stringify({ ...head, length: body.length }) + '\n')
  await write(body)
}
