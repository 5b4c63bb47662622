import type { FileHandle } from 'node:fs/promises'
import { sourceOf } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import { writeChunks } from '../src/write-chunks.ts'

const MIB = 1_048_576
const call = { doing: 'write', path: '/repository/object' }

/** A disk that says what it was asked for. `failing` is the number of the sync that loses bytes. */
function fakeDisk(failing = 0): { readonly handle: FileHandle; readonly calls: string[] } {
  const calls: string[] = []
  let syncs = 0
  const handle = {
    async write(bytes: Uint8Array) {
      calls.push(`write ${bytes.length / MIB}`)
      return { bytesWritten: bytes.length }
    },
    async datasync() {
      syncs += 1
      calls.push('sync begins')
      await new Promise((resolve) => setTimeout(resolve, 2))
      calls.push('sync ends')
      if (syncs === failing) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', errno: -5, syscall: 'fdatasync' })
    },
  }
  return { handle: handle as unknown as FileHandle, calls }
}

/** A disk that takes its time, and half of what it is given now and then. */
function slowDisk(): { readonly handle: FileHandle; readonly written: Uint8Array[]; readonly state: { running: number; most: number } } {
  const written: Uint8Array[] = []
  const state = { running: 0, most: 0 }
  const take = async (buffers: readonly Uint8Array[]): Promise<{ bytesWritten: number }> => {
    state.running += 1
    state.most = Math.max(state.most, state.running)
    const all = Buffer.concat(buffers)
    await new Promise((resolve) => setTimeout(resolve, 1))
    const count = written.length % 5 === 4 ? Math.ceil(all.length / 2) : all.length
    written.push(all.subarray(0, count))
    state.running -= 1
    return { bytesWritten: count }
  }
  const handle = { write: (bytes: Uint8Array) => take([bytes]), writev: take, datasync: async () => undefined }
  return { handle: handle as unknown as FileHandle, written, state }
}

const chunks = (count: number): Uint8Array[] => Array.from({ length: count }, () => new Uint8Array(16 * MIB))

describe('a large file', () => {
  it('is synced while it is written, and no sync is still running at the end', async () => {
    const { handle, calls } = fakeDisk()
    expect(await writeChunks(handle, sourceOf(...chunks(6)), { call, sync: true })).toBe(96 * MIB)
    expect(calls.filter((text) => text.startsWith('write')).length).toBe(6)
    expect(calls.indexOf('sync begins')).toBeLessThan(calls.lastIndexOf('write 16'))
    expect(calls.filter((text) => text === 'sync begins').length).toBe(calls.filter((text) => text === 'sync ends').length)
  })

  it('is not synced where that is not wanted', async () => {
    const { handle, calls } = fakeDisk()
    await writeChunks(handle, sourceOf(...chunks(6)), { call, sync: false })
    expect(calls).not.toContain('sync begins')
  })

  it('is a failure when a sync on the way failed, even if later ones do not', async () => {
    const { handle } = fakeDisk(1)
    const writing = writeChunks(handle, sourceOf(...chunks(8)), { call, sync: true })
    await expect(writing).rejects.toMatchObject({ code: 'STORAGE_IO', message: expect.stringContaining('sync /repository/object') })
  })

  it('waits for a running sync when its source fails', async () => {
    const { handle, calls } = fakeDisk()
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield* chunks(3)
      throw new Error('source broke')
    }
    await expect(writeChunks(handle, broken(), { call, sync: true })).rejects.toThrow('source broke')
    expect(calls.at(-1)).toBe('sync ends')
  })
})

describe('a slow disk', () => {
  it.each([1, 1000, 100_000, 262_144, 700_000, 3 * MIB])(
    'gets every byte in order, one write at a time, from chunks of %i bytes',
    async (size) => {
      const { handle, written, state } = slowDisk()
      const bytes = Buffer.alloc(size < 1000 ? 5000 : 8 * MIB)
      for (let offset = 0; offset + 4 <= bytes.length; offset += 4) bytes.writeUInt32LE(offset, offset)
      const ahead = { most: 0, pulled: 0 }
      async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
        for (let offset = 0; offset < bytes.length; offset += size) {
          const chunk = bytes.subarray(offset, offset + size)
          ahead.pulled += chunk.length
          ahead.most = Math.max(ahead.most, ahead.pulled - written.reduce((sum, { length }) => sum + length, 0))
          yield chunk
        }
      }
      expect(await writeChunks(handle, source(), { call, sync: true })).toBe(bytes.length)
      expect(Buffer.concat(written).equals(bytes)).toBe(true)
      expect(state.most).toBe(1)
      expect(ahead.most).toBeLessThanOrEqual(MIB + 262_144 + 2 * size)
    },
  )

  it('is left alone once the source has failed', async () => {
    const { handle, written, state } = slowDisk()
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      for (let count = 0; count < 3; count += 1) yield new Uint8Array(262_144)
      throw new Error('source broke')
    }
    await expect(writeChunks(handle, broken(), { call, sync: true })).rejects.toThrow('source broke')
    expect([written.length, state.running]).toEqual([1, 0])
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(written.length).toBe(1)
  })
})
