import { constants, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createBlockPool, lendBytes } from '@waltz/bytes'
import { expect, it } from 'vitest'
import { createFileSink } from '../src/restore/file-sink.ts'
import { scratch } from './restore-support.ts'

const open = (path: string): number => openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600)

it('writes small and large chunks where they belong and gives each back when it is written', async () => {
  using work = scratch()
  const path = join(work.path, 'file')
  const sink = createFileSink(open(path), path, { mode: 0o640, syncBehind: true })
  const pool = createBlockPool(1_048_576)
  const expected: Buffer[] = []
  const memories = new Set<ArrayBufferLike>()
  for (let index = 0; index < 40; index++) {
    const block = pool.take()
    memories.add(block.buffer)
    block.fill(index)
    expected.push(Buffer.from(block))
    await sink.write(block)
    const small = lendBytes(new Uint8Array(1000 + index).fill(100 + index), (chunk) => chunk.fill(0xa5))
    expected.push(Buffer.from(small))
    await sink.write(small)
  }
  await sink.close()
  expect(readFileSync(path).equals(Buffer.concat(expected))).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o640)
  expect(memories.size).toBeLessThanOrEqual(3)
})

it('fails the file when a write fails, however late that comes out', async () => {
  for (const bytes of [1000, 1_000_000]) {
    const sink = createFileSink(openSync('/dev/full', 'w'), '/dev/full', { mode: 0o600, syncBehind: false })
    const writing = async (): Promise<void> => {
      await sink.write(new Uint8Array(bytes))
      await sink.close()
    }
    await expect(writing()).rejects.toMatchObject({ code: 'RESTORE_NO_SPACE' })
    await sink.abandon()
  }
})

it('fails the file when syncing behind the writer fails', async () => {
  // The null device takes every byte and refuses to sync.
  const write = async (syncBehind: boolean): Promise<void> => {
    const sink = createFileSink(openSync('/dev/null', 'w'), '/dev/null', { mode: 0o600, syncBehind })
    try {
      for (let index = 0; index < 40; index++) await sink.write(new Uint8Array(1_048_576))
    } catch (error) {
      await sink.abandon()
      throw error
    }
    await sink.close()
  }
  await write(false)
  await expect(write(true)).rejects.toMatchObject({ code: 'RESTORE_WRITE_FAILED', message: expect.stringContaining('syncing /dev/null') })
})
