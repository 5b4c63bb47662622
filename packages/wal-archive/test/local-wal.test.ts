import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAll } from '@waltz/bytes'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openLocalWal } from '../src/index.ts'
import { faultOf } from './support/archive.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waltz-local-'))
})
afterAll(() => rm(folder, { recursive: true }))

it('reads a file as often as asked, in large pieces', async () => {
  const bytes = Buffer.alloc(9_000_001, 'wal')
  await writeFile(join(folder, 'file'), bytes)
  const { size, open } = await openLocalWal(join(folder, 'file'))
  expect(size).toBe(bytes.length)
  for (const _ of [1, 2]) expect(bytes.equals(await readAll(open(), 2 ** 24))).toBe(true)
  const chunks = await Array.fromAsync(open(), ({ length }) => length)
  expect(chunks).toEqual([4_194_304, 4_194_304, 611_393])
})

it('says what is wrong with a path', async () => {
  expect(await faultOf(openLocalWal(join(folder, 'nothing')))).toMatchObject({ kind: 'invalid', code: 'WAL_FILE_MISSING' })
  expect(await faultOf(openLocalWal(folder))).toMatchObject({ kind: 'invalid', code: 'WAL_FILE_MISSING' })
  await writeFile(join(folder, 'brief'), 'x')
  const { open } = await openLocalWal(join(folder, 'brief'))
  await rm(join(folder, 'brief'))
  expect(await faultOf(readAll(open(), 10))).toMatchObject({ kind: 'invalid', code: 'WAL_FILE_MISSING' })
})
