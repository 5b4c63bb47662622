import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { conformanceCases } from '@waltz/storage/conformance'
import { createFileStore } from '@waltz/storage-file'
import { afterAll, expect, it, vi } from 'vitest'

// What the build does to the one file of the WAL commands.
vi.mock('node:fs/promises', () => import('../launcher/fs-promises.ts'))

const root = mkdtempSync(join(tmpdir(), 'waltz-wal-store-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const store = createFileStore({ root, now: () => new Date(), randomHex: (digits) => randomBytes(digits / 2).toString('hex'), sync: true })

it('is in force', async () => {
  const { open } = await import('node:fs/promises')
  expect(open).toBe((await import('../launcher/fs-promises.ts')).open)
})

it.each(conformanceCases.map((item) => [item.name, item] as const))('file store: %s', { timeout: 60_000 }, async (_case, item) => {
  // The one thing that files cannot do: replace a certain version.
  expect(item.needs?.(store) ?? true).toBe(!item.name.includes('ifMatch') || item.needs === undefined)
  if (item.needs?.(store) !== false) await item.run(store)
})
