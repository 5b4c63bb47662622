import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { fromNodeStream } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { createCodecRegistry } from '../../src/index.ts'

const folder = new URL('../fixtures/', import.meta.url)
const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<string, { bytes: number; sha256: string }>

/** Objects written by WAL-G 2.0.1 to 3.0.9, and such as it reads recoded by lzop, with the hashes of what it gives back for them. */
describe('objects of WAL-G', () => {
  it.each(Object.entries(expected))('%s', async (name, { bytes, sha256 }) => {
    const codec = await createCodecRegistry().byExtension(name.split('.').at(-1) ?? '')
    const hash = createHash('sha256')
    let length = 0
    for await (const chunk of codec.decompress(fromNodeStream(() => createReadStream(new URL(name, folder), { highWaterMark: 1000 })))) {
      hash.update(chunk)
      length += chunk.length
    }
    expect([length, hash.digest('hex')]).toEqual([bytes, sha256])
  })
})
