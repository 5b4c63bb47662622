import { mkdtemp, open, readFile, rm, stat, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { openTestArchive, push } from './support/archive.ts'
import { makeWal, nameOf } from './support/segments.ts'

const [one] = makeWal({ first: 1 }) as [Uint8Array]
const HISTORY = '00000002.history'
let folder: string
/** What was synced, by its place in the file system: files and folders keep it when they are renamed. */
let synced: number[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waltz-durable-'))
  const handle = await open(folder, 'r')
  const kind = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const sync = Reflect.get(kind, 'sync') as () => Promise<void>
  vi.spyOn(kind, 'sync').mockImplementation(async function (this: FileHandle) {
    synced.push((await this.stat()).ino)
    await sync.call(this)
  })
})
beforeEach(() => {
  synced = []
})
afterEach(() => vi.clearAllMocks())
afterAll(async () => {
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

it.each([
  [nameOf(1), 'RECOVERYXLOG', false],
  [HISTORY, 'RECOVERYHISTORY', false],
  [nameOf(1), nameOf(1), true],
  [HISTORY, HISTORY, true],
  [nameOf(1), 'recoveryxlog', true],
  [nameOf(1), 'RECOVERYXLOG.1', true],
])('fetches %s to %s; synced with its folder: %s', async (name, destination, durable) => {
  const { archive } = await openTestArchive()
  await push(archive, nameOf(1), one)
  await push(archive, HISTORY, '1\t0/280000\tx\n')
  const path = join(folder, destination)
  await archive.fetchToFile({ name, destination: path, unique: 'ab' })
  expect((await readFile(path)).length).toBeGreaterThan(0)
  expect(synced).toEqual(durable ? [(await stat(path)).ino, (await stat(folder)).ino] : [])
})
