/** Cells of the codecs suite: what is read is made here, by the stage itself unless it can only read. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveToOrdinaryUser } from '@waltz/testkit'
import type { Direction, StageName } from '../driver/job.ts'
import { emptyFolder, expectSameFile } from '../files.ts'
import { measure } from '../meter/measure.ts'
import type { Action, Bench, Cell, Peer, TransformJob } from '../model.ts'
import { extensionOf, packerOf } from '../peers/programs.ts'
import { sampleFile, type SampleContent } from './samples.ts'
import { makeKeys } from './transform-keys.ts'

export interface TransformCase {
  readonly stage: StageName
  readonly direction: Direction
  readonly content: SampleContent
  /** Of plain content, in each stream. */
  readonly bytes: number
  readonly streams: number
  readonly memory: boolean
}

/** How often the start of a program is measured, whose least is taken off. */
const STARTS = 5

/** Cells of all peers that know the stage, or of Waltz alone where memory is looked at. */
export async function transformCells(bench: Bench, row: TransformCase): Promise<readonly Cell[]> {
  const maker = await createMaker(bench, row)
  const cells: Cell[] = []
  for (const { peer, found } of bench.peers) {
    if (found === undefined || peer.transform === undefined || (row.memory && peer.name !== 'waltz')) continue
    if (peer.transform({ ...maker.job, input: maker.plain }, bench.tools) === undefined) continue
    const input = row.direction === 'pack' ? maker.plain : await maker.packed(peer)
    // The plain file goes round where more is wanted than it has; what is packed is there in full.
    const around = row.direction === 'pack' && row.memory ? { bytes: row.bytes } : {}
    const action = peer.transform({ ...maker.job, ...around, input }, bench.tools)
    if (action === undefined) continue
    const start = action.command.reports === true ? undefined : await startOf(bench, peer, maker)
    const check = peer.name === 'waltz' && !row.memory ? { check: () => expectBack(bench, peer, maker) } : {}
    cells.push({ peer: peer.name, action: { ...action, ...check, ...(start !== undefined && { start }) } })
  }
  return cells
}

/** Makes what is read. */
interface Maker {
  readonly plain: string
  readonly job: Omit<TransformJob, 'input'>
  /** The plain content as a peer reads it: most read what Waltz has written. */
  packed(peer: Peer, plain?: string): Promise<string>
}

async function createMaker(bench: Bench, row: TransformCase): Promise<Maker> {
  const { stage, direction, streams, memory } = row
  const folder = bench.folder.join('work', 'transform')
  bench.folder.makeFolder('work')
  emptyFolder(folder)
  const sampleBytes = Math.min(row.bytes, bench.options.transformBytes * 2)
  const plain = await sampleFile(bench, row.content, sampleBytes)
  const keys = await makeKeys(bench, stage)
  const made = new Map<string, string>()
  const packed = async (reader: Peer, from = plain): Promise<string> => {
    const writer = reader.ownFormat === true ? reader.name : (packerOf[stage] ?? 'waltz')
    const name = `${writer}-${from === plain ? 'all' : 'part'}`.replaceAll(/[^a-z0-9]+/gi, '-')
    const known = made.get(name)
    if (known !== undefined) return known
    const output = join(folder, `${name}.${extensionOf(stage)}`)
    const around = memory && writer === 'waltz' ? { bytes: row.bytes } : {}
    const whole = memory && writer !== 'waltz' ? await sampleFile(bench, row.content, row.bytes) : from
    await runOf(bench, writer, { stage, direction: 'pack', input: whole, output, streams: 1, memory: false, keys, ...around })
    made.set(name, output)
    return output
  }
  return { plain, job: { stage, direction, streams, memory, keys }, packed }
}

async function runOf(bench: Bench, name: string, job: TransformJob): Promise<void> {
  const seen = bench.peers.find(({ peer }) => peer.name === name)
  const action = seen?.found === undefined ? undefined : seen.peer.transform?.(job, bench.tools)
  if (action === undefined) throw new Error(`${name} is needed to make what is read here`)
  await measure(action.command, undefined)
}

/** The same command with nothing to do. */
async function startOf(bench: Bench, peer: Peer, maker: Maker): Promise<NonNullable<Action['start']>> {
  const nothing = bench.folder.join('work', 'transform', 'nothing')
  if (!existsSync(nothing)) writeFileSync(nothing, '')
  giveToOrdinaryUser(nothing)
  const input = maker.job.direction === 'pack' ? nothing : await maker.packed(peer, nothing)
  const action = peer.transform?.({ ...maker.job, input }, bench.tools)
  const start = { wallMs: Number.POSITIVE_INFINITY, cpuMs: Number.POSITIVE_INFINITY }
  if (action === undefined) throw new Error(`${peer.name} has no such command`)
  for (let turn = 0; turn < STARTS; turn += 1) {
    const { wallMs, cpuMs } = await measure(action.command, undefined)
    start.wallMs = Math.min(start.wallMs, wallMs)
    start.cpuMs = Math.min(start.cpuMs, cpuMs)
  }
  return start
}

/** @throws Error when what was packed does not come back as it was. */
async function expectBack(bench: Bench, peer: Peer, maker: Maker): Promise<void> {
  const output = bench.folder.join('work', 'transform', 'back')
  const job: TransformJob = { ...maker.job, direction: 'unpack', streams: 1, input: await maker.packed(peer), output }
  await runOf(bench, peer.name, job)
  expectSameFile(maker.plain, output)
}
