import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCodecRegistry } from '@waltz/codecs'
import { createBackupCatalog, createSealedFormat, type SealedFormat } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createFileStore } from '@waltz/storage-file'
import { restoreBackup } from '../src/restore/restore-backup.ts'
import type { ApplyRestoreOptions, RestoreRequest, RestoreResult } from '../src/restore/restore-options.ts'

export const now = (): Date => new Date('2026-11-21T00:00:00Z')

/** A folder that goes away with the test. */
export interface Scratch {
  readonly path: string
  [Symbol.dispose](): void
}

/** Makes a folder of the test's own. */
export function scratch(): Scratch {
  const path = mkdtempSync(join(tmpdir(), 'waltz-restore-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export async function sealedFormat(codec = 'lz4'): Promise<SealedFormat> {
  const registry = createCodecRegistry()
  return createSealedFormat({ codec: await registry.byName(codec), registry })
}

export function openRepository(root: string): ObjectStore {
  return createFileStore({ root, now, randomHex: (digits) => '0'.repeat(digits), sync: false })
}

export const quick: ApplyRestoreOptions = { lanes: 2, retries: 2, sync: false, sleep: () => Promise.resolve() }

/** A request for a repository in a folder. */
export async function requestFor(store: ObjectStore, destination: string, extra: Partial<RestoreRequest> = {}): Promise<RestoreRequest> {
  return {
    store,
    catalog: createBackupCatalog(store),
    sealed: await sealedFormat(),
    destination,
    selector: { latest: true },
    spoolDirectory: join(destination, '../spool'),
    ...extra,
  }
}

export async function restoreFrom(store: ObjectStore, destination: string, extra: Partial<RestoreRequest> = {}): Promise<RestoreResult> {
  return await restoreBackup(await requestFor(store, destination, extra), quick)
}

/**
 * A folder as lines of path, kind, mode, size and hash or link target, sorted bytewise: the form of the fixtures.
 * Below `pg_tblspc/<oid>` the walk follows the link.
 */
export function treeLines(root: string): string[] {
  const lines: string[] = []
  const walk = (folder: string, prefix: string): void => {
    for (const name of readdirSync(folder)) {
      const full = `${folder}/${name}`
      const path = prefix + name
      const link = lstatSync(full)
      const mode = (stats: { readonly mode: number }): string => (stats.mode & 0o7777).toString(8).padStart(4, '0')
      if (link.isSymbolicLink()) {
        lines.push(`${path}\tl\t0777\t-\t${readlinkSync(full)}`)
        if (prefix === 'pg_tblspc/' && statSync(full).isDirectory()) walk(full, `${path}/`)
      } else if (link.isDirectory()) {
        lines.push(`${path}\td\t${mode(link)}\t-\t-`)
        walk(full, `${path}/`)
      } else lines.push(`${path}\tf\t${mode(link)}\t${link.size}\t${createHash('sha256').update(readFileSync(full)).digest('hex')}`)
    }
  }
  walk(root, '')
  return lines.sort((a, b) => Buffer.compare(Buffer.from(a.split('\t')[0] ?? ''), Buffer.from(b.split('\t')[0] ?? '')))
}

/** The lines of a fixture's listing, without its header. */
export function expectedLines(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(1)
}
