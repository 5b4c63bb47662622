import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { randomFillSync } from 'node:crypto'
import { join } from 'node:path'
import { giveToOrdinaryUser } from '@waltz/testkit'
import type { BenchOptions } from '../arguments.ts'
import { measure } from '../meter/measure.ts'
import type { Bench, Cell, OpenWorkload, Peer, Suite, TransferJob, Workload } from '../model.ts'
import { formatBytes } from '../report/units.ts'
import { clearWork, peerFolder } from './cells.ts'

const MIB = 2 ** 20
const SMALL_BYTES = 5 * MIB
const PART_BYTES = 20 * MIB

interface Shape {
  readonly content: string
  readonly files: number
  readonly bytes: number
}

/** Files to and from an S3 server on this machine. */
export const storageSuite: Suite = {
  name: 'storage',
  onlyByName: true,
  about: 'one large file, and many of 5 MiB, to and from radosgw on loopback',
  workloads: (options) =>
    shapes(options).flatMap((shape) => (['upload', 'download'] as const).map((operation) => workload(options, shape, operation))),
}

function shapes({ storageBytes, storageFiles }: BenchOptions): readonly Shape[] {
  return [
    { content: 'one file', files: 1, bytes: storageBytes },
    { content: 'many files', files: storageFiles, bytes: SMALL_BYTES },
  ]
}

function workload(options: BenchOptions, shape: Shape, operation: 'upload' | 'download'): Workload {
  const { files, bytes } = shape
  return {
    suite: 'storage',
    operation,
    content: shape.content,
    bytes: files * bytes,
    title: `${operation} of ${files === 1 ? formatBytes(bytes) : `${files} times ${formatBytes(bytes)}`}, S3`,
    against: 'rclone',
    rounds: options.rounds,
    warmUps: 1,
    expectedSeconds: 20 + options.rounds * ((files * bytes) / 2 ** 30) * 12,
    open: async (bench: Bench): Promise<OpenWorkload> => {
      const server = await bench.objectServer.start()
      const local = makeFiles(bench, shape)
      const bucket = await server.createBucket()
      const job = (peer: Peer): TransferJob => ({
        server,
        bucket,
        local,
        target: bench.folder.join('work', 'downloaded'),
        folder: peerFolder(bench, peer),
        transfers: 8,
        partBytes: PART_BYTES,
        partsAtOnce: 4,
      })
      return { cells: await cellsFor(bench, job, operation), server: undefined, close: () => clearWork(bench) }
    },
  }
}

/** A download begins with what the same peer has uploaded. */
async function cellsFor(bench: Bench, job: (peer: Peer) => TransferJob, operation: 'upload' | 'download'): Promise<readonly Cell[]> {
  const cells: Cell[] = []
  for (const { peer, found } of bench.peers) {
    if (found === undefined || peer.upload === undefined) continue
    const given = job(peer)
    const upload = peer.upload(given, bench.tools)
    if (operation === 'download' && upload !== undefined) await measure(upload.command, undefined)
    const action = operation === 'upload' ? upload : peer.download?.(given, bench.tools)
    if (action !== undefined) cells.push({ peer: peer.name, action })
  }
  return cells
}

/** Files of bytes that do not compress. */
function makeFiles(bench: Bench, { files, bytes }: Shape): string {
  const folder = join(bench.folder.makeFolder('work'), 'files')
  mkdirSync(folder, { recursive: true })
  giveToOrdinaryUser(folder)
  const block = Buffer.alloc(MIB)
  for (let index = 0; index < files; index += 1) {
    const path = join(folder, `file-${String(index).padStart(4, '0')}`)
    const file = openSync(path, 'w', 0o600)
    for (let offset = 0; offset < bytes; offset += MIB) writeSync(file, randomFillSync(block))
    closeSync(file)
    giveToOrdinaryUser(path)
  }
  return folder
}
