import type { UnfinishedUpload } from '@waltz/storage'
import { parseGoDuration } from '@waltz/settings'
import type { Invocation } from '../../command.ts'
import { formatBytes } from '../../format-amount.ts'
import { renderPlainTable } from '../../render-table.ts'
import { usageFault } from '../../usage-fault.ts'
import { onEachTarget, textFlag, type TargetStorage } from '../st/targets.ts'

interface Orphan {
  readonly upload: UnfinishedUpload
  readonly old: boolean
  readonly removed: boolean
}

/** Lists unfinished uploads; with `--confirm` removes those that are old enough. Resolves to 0. @throws Fault of the storage. */
export async function runStorageOrphans(invocation: Invocation): Promise<number> {
  const { io, json, log, flags } = invocation
  const olderThanMs = parseGoDuration(textFlag(invocation, 'older-than') ?? '24h')
  if (olderThanMs === undefined) throw usageFault('--older-than takes a time such as 24h or 90m', { command: 'storage orphans' })
  return await onEachTarget(invocation, async (storage) => {
    const orphans = await orphansOf(invocation, storage, olderThanMs)
    if (json) io.stdout(`${JSON.stringify(orphans.map(jsonOf))}\n`)
    else if (orphans.length > 0) io.stdout(renderPlainTable(['started', 'bytes', 'name', 'what'], orphans.map(cellsOf)))
    const removed = orphans.filter((orphan) => orphan.removed).length
    const old = orphans.filter((orphan) => orphan.old).length
    log.info(`storage ${storage.name}: ${orphans.length} unfinished uploads, ${old} of them old, ${removed} removed`)
    if (old > removed && flags['confirm'] !== true) log.info('nothing was removed; --confirm does it')
  })
}

async function orphansOf({ io, flags }: Invocation, { maintenance }: TargetStorage, olderThanMs: number): Promise<readonly Orphan[]> {
  const call = { signal: io.signal }
  const orphans: Orphan[] = []
  for await (const upload of maintenance.unfinishedUploads('', call)) {
    // One without a time may have begun a moment ago.
    const old = upload.startedAt !== undefined && io.now().getTime() - upload.startedAt.getTime() >= olderThanMs
    const removed = old && flags['confirm'] === true
    if (removed) await maintenance.abandonUpload(upload, call)
    orphans.push({ upload, old, removed })
  }
  return orphans
}

function cellsOf({ upload, old, removed }: Orphan): readonly string[] {
  const { startedAt, bytes, key } = upload
  return [
    startedAt?.toISOString() ?? 'unknown',
    bytes === undefined ? 'unknown' : formatBytes(bytes),
    key,
    removed ? 'removed' : old ? 'old: --confirm removes it' : 'perhaps still running',
  ]
}

function jsonOf({ upload, old, removed }: Orphan): Record<string, unknown> {
  const { key, id, startedAt, bytes } = upload
  return { key, id, started_at: startedAt, bytes, old, removed }
}
