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
