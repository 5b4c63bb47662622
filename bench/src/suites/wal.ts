import type { BenchOptions } from '../arguments.ts'
import { removeTree } from '../files.ts'
import { measure } from '../meter/measure.ts'
import type { Action, Bench, Cell, CodecName, OpenWorkload, Peer, Suite, WalContent, WalJob, Workload } from '../model.ts'
import { cellsOf, clearWork, walJob } from './cells.ts'

interface Case {
  readonly operation: 'push' | 'fetch' | 'again'
  readonly content: WalContent
  readonly codec: CodecName
}

const contents: readonly WalContent[] = ['pgbench', 'mostly zero', 'random']
const cases: readonly Case[] = [
  ...(['push', 'fetch'] as const).flatMap((operation) => [
    ...contents.map((content): Case => ({ operation, content, codec: 'lz4' })),
    { operation, content: 'pgbench', codec: 'zstd' } as const,
  ]),
  { operation: 'again', content: 'pgbench', codec: 'lz4' },
]

const words = { push: 'push of', fetch: 'fetch of', again: 'push, already stored, of' } as const

/** One segment of 16 MiB and one process for it, as servers run their archive commands. */
export const walSuite: Suite = {
  name: 'wal',
  about: 'one segment of 16 MiB (pgbench, mostly zero, random), one process each: pushed, fetched, pushed again',
  workloads: (options) => cases.map((row) => workload(row, options)),
}

function workload(row: Case, options: BenchOptions): Workload {
  const rounds = options.rounds * 4
  return {
    ...row,
    suite: 'wal',
    title: `${words[row.operation]} one segment, ${row.content}, ${row.codec}`,
    against: row.operation === 'again' ? 'node -e 0' : 'pgBackRest',
    rounds,
    warmUps: 1,
    expectedSeconds: 3 + rounds * 0.6,
    open: async (bench: Bench): Promise<OpenWorkload> => {
      const cluster = await bench.clusters.wal()
      // pg_control and pg_wal are all that these commands look at.
      const job = (peer: Peer): WalJob => walJob(bench, peer, { cluster, codec: row.codec, segment: cluster.segments[row.content] })
      const cells = row.operation === 'push' ? pushCells(bench, job) : await storedCells(bench, job, row.operation)
      const close = (): void => {
        clearWork(bench)
        removeTree(`${cluster.dataDirectory}/pg_wal/RECOVERYXLOG`)
      }
      return { cells, server: undefined, close }
    },
  }
}

function pushCells(bench: Bench, job: (peer: Peer) => WalJob): readonly Cell[] {
  return cellsOf(bench, (peer) => (peer.push === undefined ? undefined : peer.push(job(peer), bench.tools)))
}

/** Cells that begin with the segment in each peer's repository. */
async function storedCells(bench: Bench, job: (peer: Peer) => WalJob, operation: 'fetch' | 'again'): Promise<readonly Cell[]> {
  const cells: Cell[] = []
  for (const { peer, found } of bench.peers) {
    if (found === undefined) continue
    const given = peer.push === undefined ? undefined : job(peer)
    const push = given === undefined ? undefined : peer.push?.(given, bench.tools)
    if (given !== undefined && push !== undefined) {
      await push.prepare()
      await measure(push.command, undefined)
    }
    const action = operation === 'fetch' ? given && peer.fetch?.(given, bench.tools) : againAction(bench, peer, push)
    if (action !== undefined) cells.push({ peer: peer.name, action })
  }
  return cells
}

/** The programs that look whether a segment is stored already, and Node, as a measure of starting at all. */
function againAction(bench: Bench, peer: Peer, push: Action | undefined): Action | undefined {
  if (peer.name === 'node -e 0') return peer.start?.('', bench.tools)
  return push === undefined || peer.name === 'lz4 -1' ? undefined : { command: push.command, prepare: () => undefined }
}
