import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { MaintainedStore } from '@waltz/storage'
import { createFileStore, type FileStoreOptions } from '../../src/index.ts'

const made: string[] = []
afterAll(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true })
})

/** A new folder that is removed when the test file ends. */
export function temporaryRoot(): string {
  const path = mkdtempSync(join(tmpdir(), 'waltz-store-'))
  made.push(path)
  return path
}

export const randomHex = (digits: number): string => randomBytes(digits / 2).toString('hex')

export function fileStore(root: string, over: Partial<FileStoreOptions> = {}): MaintainedStore {
  return createFileStore({ root, now: () => new Date('2024-02-03T04:05:06.789Z'), randomHex, sync: false, ...over })
}
