import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { encodeTarHeader, readTar } from '../../src/index.ts'
import { inChunks } from '../support.ts'

/** Reads members and writes each header again: the bytes must be those of the archive. */
async function compareHeaders(tar: Uint8Array): Promise<{ members: number; extended: number; different: string[] }> {
  const result = { members: 0, extended: 0, different: [] as string[] }
  for await (const { entry, headerOffset } of readTar(inChunks(tar, [262_144]))) {
    const header = encodeTarHeader(entry)
    result.members += 1
    if (header.length > 512) result.extended += 1
    if (Buffer.compare(header, tar.subarray(headerOffset, headerOffset + header.length)) !== 0) result.different.push(entry.name)
  }
  return result
}

describe('headers that WAL-G 3.0.9 wrote', () => {
  it('of a data directory with odd names, modes and kinds of file are written the same', async () => {
    const packed = readFileSync(new URL('../fixtures/walg-odd-headers.bin.gz', import.meta.url))
    const headers = new Uint8Array(gunzipSync(packed))
    // The contents were left out, so each header is read as an archive of its own.
    let members = 0
    let extended = 0
    for (let at = 0; at < headers.length; members += 1) {
      const length = headers[at + 156] === 'x'.charCodeAt(0) ? 1536 : 512
      const block = headers.subarray(at, at + length)
      for await (const { entry } of readTar(sourceOf(block))) {
        expect(Buffer.compare(encodeTarHeader(entry), block)).toBe(0)
        break
      }
      if (length > 512) extended += 1
      at += length
    }
    expect([members, extended]).toEqual([84, 6])
  })
})

const shared = new URL('../../../../../shared/fixtures/', import.meta.url)
const folders = ['odd-files', 'odd-links', 'composers', 'remote', 'codecs', 'delta'].map((name) => fileURLToPath(new URL(name, shared)))
const found = folders.every((folder) => existsSync(folder)) && spawnSync('lz4', ['--version']).error === undefined
if (!found) console.warn('SKIPPED: the recorded repositories or the program lz4 are not here')

function unpack(path: string): Uint8Array | undefined {
  if (path.endsWith('.zst')) return zstdDecompressSync(readFileSync(path))
  if (path.endsWith('.br')) return brotliDecompressSync(readFileSync(path))
  if (path.endsWith('.lz4')) return execFileSync('lz4', ['-dc', path], { maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'ignore'] })
  return undefined
}

describe.skipIf(!found)('whole repositories that WAL-G wrote', () => {
  it.each(folders)('%s', async (folder) => {
    const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('tar_partitions/'))
    let members = 0
    for (const path of paths) {
      const tar = unpack(`${folder}/${path}`)
      if (tar === undefined) continue
      const result = await compareHeaders(tar)
      expect([path, result.different]).toEqual([path, []])
      members += result.members
    }
    expect(members).toBeGreaterThan(50)
  })
})
