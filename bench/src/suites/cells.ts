/** Cells of a workload out of the table of peers. */
import { join } from 'node:path'
import { emptyFolder, removeTree } from '../files.ts'
import { measure } from '../meter/measure.ts'
import type { Action, BackupJob, Bench, BenchCluster, Cell, CodecName, Peer, RestoreJob, WalJob } from '../model.ts'

/** What the peers that are here can do: one cell for each that `action` gives one. */
export function cellsOf(bench: Bench, action: (peer: Peer) => Action | undefined): readonly Cell[] {
  return bench.peers.flatMap(({ peer, found }) => {
    const made = found === undefined ? undefined : action(peer)
    return made === undefined ? [] : [{ peer: peer.name, action: made }]
  })
}

/** A folder of its own for a peer in a workload, removed by whoever asked for it. */
export function peerFolder(bench: Bench, peer: Peer): string {
  const folder = join(bench.folder.makeFolder('work'), peer.name.replaceAll(/[^a-zA-Z0-9]+/g, '-'))
  emptyFolder(folder)
  return folder
}

/** Removes all that workloads have left. */
export function clearWork(bench: Bench): void {
  removeTree(bench.folder.join('work'))
}

export function backupJob(bench: Bench, peer: Peer, on: { readonly cluster: BenchCluster; readonly codec: CodecName }): BackupJob {
  return { ...on, folder: join(peerFolder(bench, peer), 'repository') }
}

export function backupCells(bench: Bench, cluster: BenchCluster, codec: CodecName, only?: string): readonly Cell[] {
  return cellsOf(bench, (peer) => {
    if (only !== undefined && peer.name !== only) return undefined
    return peer.backup?.(backupJob(bench, peer, { cluster, codec }), bench.tools)
  })
}

/** Makes each peer's own backup, then cells that restore it. The restored directory goes before the next cell runs. */
export async function restoreCells(bench: Bench, cluster: BenchCluster, codec: CodecName, only?: string): Promise<readonly Cell[]> {
  const cells: Cell[] = []
  for (const { peer, found } of bench.peers) {
    if (found === undefined || peer.restore === undefined || (only !== undefined && peer.name !== only)) continue
    const job: RestoreJob = { ...backupJob(bench, peer, { cluster, codec }), target: bench.folder.join('work', 'restored') }
    const action = peer.restore(job, bench.tools)
    const backup = peer.backup?.(job, bench.tools)
    if (action === undefined || backup === undefined) continue
    bench.progress.now(`${peer.name} makes the backup that it will restore ...`)
    await backup.prepare()
    await measure(backup.command, undefined)
    cells.push({ peer: peer.name, action: withClearTarget(action, job.target) })
  }
  return cells
}

/** All peers restore to the same place, so that there is never more than one copy. */
function withClearTarget(action: Action, target: string): Action {
  return {
    ...action,
    prepare: () => {
      removeTree(target)
      return action.prepare()
    },
  }
}

export function walJob(bench: Bench, peer: Peer, on: Pick<WalJob, 'cluster' | 'codec' | 'segment'>): WalJob {
  const folder = peerFolder(bench, peer)
  emptyFolder(join(folder, 'repository'))
  return { ...on, folder: join(folder, 'repository'), fetched: join(on.cluster.dataDirectory, 'pg_wal', 'RECOVERYXLOG') }
}
