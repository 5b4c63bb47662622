import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeBlockId, encodeBlockId } from '../src/block-id.ts'

it('names of blocks have 64 bytes and say what was put in', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  fc.assert(
    fc.property(
      bytes(16),
      fc.nat(49_999),
      fc.nat(2 ** 31).map((seconds) => seconds * 1000),
      bytes(16),
      (upload, index, startedMs, md5) => {
        const name = { upload: Buffer.from(upload).toString('hex'), index, startedMs, md5 }
        const id = encodeBlockId(name)
        expect(Buffer.from(id, 'base64').length).toBe(64)
        expect(decodeBlockId(id)).toEqual({ ...name, md5: Buffer.from(md5) })
      },
    ),
  )
})

it('blocks of other programs say nothing', () => {
  expect(decodeBlockId(Buffer.alloc(64).toString('base64'))).toBeUndefined()
  expect(decodeBlockId(Buffer.alloc(48, 1).toString('base64'))).toBeUndefined()
  expect(decodeBlockId('')).toBeUndefined()
})
