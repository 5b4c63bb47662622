import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findTrustedSyncProgram, type SyncSurroundings } from '../src/restore/sync-program.ts'
import { EVERY_FILE, syncTrees } from '../src/restore/sync-tree.ts'
import { scratch } from './restore-support.ts'

const ext4 = 0xef53
const overlay = 0x794c7630

function programSaying(folder: string, name: string, version: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n[ "$1" = --version ] && echo '${version}'\n`, { mode: 0o755 })
  return path
}

it('trusts GNU sync where kernel and file systems report lost writes, and nothing else', async () => {
  using work = scratch()
  const gnu = programSaying(work.path, 'gnu', 'sync (GNU coreutils) 9.1')
  const uutils = programSaying(work.path, 'uutils', 'sync (uutils coreutils) 0.2.2')
  const busybox = programSaying(work.path, 'busybox', 'BusyBox v1.36.1 multi-call binary.')
  const find = (changes: SyncSurroundings): Promise<string | undefined> =>
    findTrustedSyncProgram([work.path], { linuxRelease: '5.8.0-1-amd64', fileSystemTypes: [ext4, 0x58465342], programs: [gnu], ...changes })
  expect(await find({})).toBe(gnu)
  expect(await find({ linuxRelease: '6.1.0' })).toBe(gnu)
  expect(await find({ programs: [join(work.path, 'absent'), gnu] })).toBe(gnu)
  for (const linuxRelease of ['5.7.19', '4.19.0', '', 'what']) expect(await find({ linuxRelease })).toBeUndefined()
  for (const program of [uutils, busybox, join(work.path, 'absent'), '/bin/false'])
    expect(await find({ programs: [program] })).toBeUndefined()
  expect(await find({ fileSystemTypes: [ext4, overlay] })).toBeUndefined()
})

it('asks the folders themselves for their file system', async () => {
  using work = scratch()
  const gnu = programSaying(work.path, 'gnu', 'sync (GNU coreutils) 9.1')
  const given = { linuxRelease: '6.1.0', programs: [gnu] }
  expect(await findTrustedSyncProgram(['/proc'], given)).toBeUndefined()
  expect(await findTrustedSyncProgram([join(work.path, 'absent')], given)).toBeUndefined()
})

it('syncs every file when told to', async () => {
  using work = scratch()
  mkdirSync(join(work.path, 'a'))
  writeFileSync(join(work.path, 'a/b'), 'x')
  expect(await syncTrees([work.path], EVERY_FILE)).toBe('files')
})
