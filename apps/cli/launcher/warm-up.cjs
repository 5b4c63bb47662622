/**
 * Part of the build, not of what is shipped: `node FLAGS warm-up.cjs LIB` runs the WAL commands of `LIB/wal.cjs` on made-up files
 * and writes `LIB/wal.cache`, which `launch.cjs` explains. With the flags of the shipped script, because V8 takes code only from
 * a V8 with the same. What the runs called is in that code; the rest is compiled when it is needed.
 */
'use strict'
const { createHash } = require('node:crypto')
const { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { createServer } = require('node:http')
const { createRequire } = require('node:module')
const { tmpdir } = require('node:os')
const { join, resolve } = require('node:path')
const { Script, constants } = require('node:vm')

const lib = resolve(process.argv[2])
const path = join(lib, 'wal.cjs')
const text = readFileSync(path)
if (text.some((byte) => byte > 127)) throw new Error(`${path} is not plain ASCII, which launch.cjs takes it for`)
const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text.latin1Slice()}\n})`, {
  filename: path,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
})
const folder = mkdtempSync(join(tmpdir(), 'waltz-warm-up-'))
const SEGMENT = '000000010000000000000001'

void warmUp().finally(() => rmSync(folder, { recursive: true, force: true }))

async function warmUp() {
  mkdirSync(join(folder, 'pg_wal'))
  mkdirSync(join(folder, 'repository'))
  writeFileSync(join(folder, 'pg_wal', SEGMENT), emptySegment())
  // Whoever builds may have a config file, for an archive that is in use.
  writeFileSync(join(folder, 'config.json'), '{}')
  process.chdir(folder)
  process.env.WALG_FILE_PREFIX = join(folder, 'repository')
  await pushAndFetch()
  for (const times of [1, 2]) await run(74, 'wal-fetch', '000000010000000000000002', `pg_wal/absent${times}`)
  delete process.env.WALG_FILE_PREFIX
  const answer = createBucket()
  const server = createServer((request, response) => void answer(request, response))
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  Object.assign(process.env, {
    WALG_S3_PREFIX: 's3://bucket/repository',
    AWS_ENDPOINT: `http://127.0.0.1:${server.address().port}`,
    AWS_REGION: 'us-east-1',
    AWS_S3_FORCE_PATH_STYLE: 'true',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
  })
  await pushAndFetch()
  server.closeAllConnections()
  server.close()
  const code = script.createCachedData()
  writeFileSync(join(lib, 'wal.cache'), Buffer.concat([code, code, text]))
}

/** Twice: the second push finds the segment there. */
async function pushAndFetch() {
  for (let times = 0; times < 2; times += 1) {
    await run(0, 'wal-push', `pg_wal/${SEGMENT}`)
    await run(0, 'wal-fetch', SEGMENT, 'pg_wal/RECOVERYXLOG')
  }
}

/** As much of an S3 server as these commands need. */
function createBucket() {
  const objects = new Map()
  return async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const path = request.url.replace(/\?.*/, '')
    if (request.headers['if-none-match'] === '*' && objects.has(path)) return response.writeHead(412).end()
    if (request.method === 'PUT') objects.set(path, Buffer.concat(chunks))
    const bytes = objects.get(path)
    const etag = `"${createHash('md5')
      .update(bytes ?? '')
      .digest('hex')}"`
    if (request.method === 'PUT') return response.writeHead(200, { etag }).end()
    // A new archive is looked through, once, by the SDK.
    if (request.url.includes('list-type=')) return response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>')
    if (bytes === undefined) return response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
    response.writeHead(200, { etag, 'content-length': bytes.length, 'last-modified': new Date().toUTCString() })
    response.end(request.method === 'HEAD' ? undefined : bytes)
  }
}

/** Runs one command line as `launch.cjs` does; the program says that it is done by ending the process. */
async function run(expected, ...args) {
  process.argv = [process.execPath, path, ...args, '--config', 'config.json']
  const listeners = process.eventNames().map((name) => [name, process.listeners(name)])
  const end = process.exit.bind(process)
  const code = await new Promise((done) => {
    process.exit = done
    script.runInThisContext().call({}, {}, createRequire(path), { exports: {} }, path, lib)
  })
  process.exit = end
  for (const name of process.eventNames()) {
    const before = listeners.find(([known]) => known === name)?.[1] ?? []
    for (const listener of process.listeners(name)) if (!before.includes(listener)) process.off(name, listener)
  }
  process.exitCode = 0
  if (code !== expected) throw new Error(`${args.join(' ')} ended with ${code} instead of ${expected}`)
}

/** A segment of 1 MiB with nothing but the header of its first page, as PostgreSQL 15 writes it (xlog_internal.h). */
function emptySegment() {
  const bytes = Buffer.alloc(1_048_576)
  bytes.writeUInt16LE(0xd110, 0)
  bytes.writeUInt16LE(0x0002, 2)
  bytes.writeUInt32LE(1, 4)
  bytes.writeBigUInt64LE(BigInt(bytes.length), 8)
  bytes.writeBigUInt64LE(7_412_345_678_901_234_567n, 24)
  bytes.writeUInt32LE(bytes.length, 32)
  bytes.writeUInt32LE(8192, 36)
  return bytes
}
