/** What the codecs suite packs: pages of a real cluster, real WAL, bytes that do not compress. */
import { randomFillSync } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { giveToOrdinaryUser } from '@waltz/testkit'
import type { Bench } from '../model.ts'

export type SampleContent = 'table' | 'WAL' | 'random'

const MIB = 2 ** 20
const SEGMENT_BYTES = 16 * MIB
const SLICE_BYTES = 4 * MIB
/** Of the cluster whose files are taken. */
const CLUSTER_BYTES = 160 * MIB

/** A file of exactly `bytes` bytes, made when it is first asked for and kept for the run. What there is too little of comes again. */
export async function sampleFile(bench: Bench, content: SampleContent, bytes: number): Promise<string> {
  const folder = bench.folder.makeFolder('samples')
  const path = join(folder, `${content}-${bytes}`)
  if (existsSync(path)) return path
  mkdirSync(folder, { recursive: true })
  const slices = content === 'random' ? [] : slicesOf(content === 'table' ? await relations(bench) : await segments(bench))
  const file = openSync(`${path}.new`, 'w', 0o644)
  try {
    for (let written = 0, turn = 0; written < bytes; turn += 1) {
      const slice = slices[turn % slices.length]
      const piece = slice === undefined ? randomFillSync(Buffer.alloc(MIB)) : readFileSync(slice.path).subarray(slice.start, slice.end)
      written += writeSync(file, piece, 0, Math.min(piece.length, bytes - written))
    }
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
  giveToOrdinaryUser(path)
  return path
}

interface Slice {
  readonly path: string
  readonly start: number
  readonly end: number
}

/** Pieces of all files, as many of each as it is large, so that a part of the sample is like the whole. */
function slicesOf(paths: readonly string[]): readonly Slice[] {
  const slices = paths.flatMap((path) => {
    const { size } = statSync(path)
    const starts = Array.from({ length: Math.ceil(size / SLICE_BYTES) }, (_, index) => index * SLICE_BYTES)
    return starts.map((start) => ({ path, start, end: Math.min(size, start + SLICE_BYTES), place: start / size }))
  })
  return slices.sort((a, b) => a.place - b.place || (a.path < b.path ? -1 : 1))
}

/** Files of tables and indexes as a server wrote them: two thirds of pgbench, one third that hardly compresses. */
async function relations(bench: Bench): Promise<readonly string[]> {
  const { dataDirectory, server } = await bench.clusters.sized(CLUSTER_BYTES)
  await server.query('checkpoint')
  const base = join(dataDirectory, 'base')
  const found = readdirSync(base, { recursive: true, encoding: 'utf8' })
    .map((name) => join(base, name))
    .filter((path) => /\/\d+(\.\d+)?$/.test(path) && statSync(path).isFile() && statSync(path).size >= MIB)
  return found.sort()
}

/** Full segments of transactions of pgbench, and of the inserts before them. */
async function segments(bench: Bench): Promise<readonly string[]> {
  const { dataDirectory, segments } = await bench.clusters.wal()
  const folder = join(dataDirectory, 'pg_wal')
  const names = readdirSync(folder).filter((name) => /^[0-9A-F]{24}$/.test(name) && name <= segments.pgbench)
  const whole = names.filter((name) => statSync(join(folder, name)).size === SEGMENT_BYTES).sort()
  return whole.toReversed().map((name) => join(folder, name))
}
