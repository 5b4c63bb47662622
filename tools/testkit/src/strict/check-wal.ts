import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { openObject } from './open-object.ts'
import type { ProblemList } from './report.ts'

const OBJECT = /^([0-9A-F]{24}(?:\.partial|\.[0-9A-F]{8}\.backup|_delta)?|[0-9A-F]{8}\.history)(?:\.(lz4|lzma|zst|br|gz|lzo))?$/
const SIDECAR = /^([0-9A-F]{23}|[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history)\.json$/
/** Uploads in progress, which WAL-G hides (RF 1.8). */
export const TEMPORARY: RegExp = /\.tmp\.\d{8}T\d{6}Z-[0-9a-f]{16}$/

/** What the archive holds. */
export interface WalFacts {
  /** Names without suffix, in byte order. */
  readonly names: readonly string[]
  readonly segmentBytes: number | undefined
  readonly leftovers: readonly string[]
}

/** Checks every object of wal_005 (RF 1.5, 6.1): names, one frame each, full segments that are what their name says. */
export async function checkWalFolder(folder: string, systemIdentifier: bigint | undefined, problems: ProblemList): Promise<WalFacts> {
  if (!existsSync(folder)) return { names: [], segmentBytes: undefined, leftovers: [] }
  const names = new Set<string>()
  const leftovers: string[] = []
  const sizes = new Set<number>()
  for (const object of readdirSync(folder).sort()) {
    const at = problems.at(object)
    if (TEMPORARY.test(object)) {
      leftovers.push(object)
      continue
    }
    if (SIDECAR.test(object)) continue
    const [, name, suffix = ''] = OBJECT.exec(object) ?? []
    if (name === undefined || !lstatSync(join(folder, object)).isFile()) {
      at.add('does not belong into wal_005')
      continue
    }
    if (names.has(name)) at.add(`${name} is stored twice`)
    names.add(name)
    try {
      const { size, head } = await readHead(openObject(join(folder, object), suffix))
      checkContent(name, { size, head, systemIdentifier, sizes }, at)
    } catch (error) {
      at.add((error as Error).message)
    }
  }
  if (sizes.size > 1) problems.add(`segments have different sizes: ${[...sizes].join(', ')}`)
  return { names: [...names], segmentBytes: sizes.values().next().value, leftovers }
}

interface Content {
  readonly size: number
  readonly head: Buffer
  readonly systemIdentifier: bigint | undefined
  readonly sizes: Set<number>
}

function checkContent(name: string, content: Content, problems: ProblemList): void {
  const { size, head, sizes } = content
  if (/^[0-9A-F]{24}$/.test(name)) {
    if (size < 2 ** 20 || size > 2 ** 30 || !Number.isInteger(Math.log2(size))) {
      problems.add(`a segment of ${size} bytes`)
      return
    }
    sizes.add(size)
    checkFirstPage(name, content, problems)
  } else if (name.endsWith('.partial')) {
    if (size === 0) problems.add('an empty partial segment')
  } else if (name.endsWith('.backup')) {
    if (!head.toString('utf8').startsWith('START WAL LOCATION: ')) problems.add('is no backup history file')
  } else if (name.endsWith('.history')) {
    if (!/^\d+\t[0-9A-F]+\/[0-9A-F]+\t/m.test(head.toString('utf8'))) problems.add('is no timeline history')
  }
}

/** The long header of a segment's first page says which segment of which cluster it is. */
function checkFirstPage(name: string, { size, head, systemIdentifier }: Content, problems: ProblemList): void {
  const isLong = (head.readUInt16LE(2) & 2) !== 0
  if (head.readUInt16LE(0) >> 8 !== 0xd1 || !isLong) {
    problems.add('does not begin with a page of WAL')
    return
  }
  const perId = 2 ** 32 / size
  const number = Number.parseInt(name.slice(8, 16), 16) * perId + Number.parseInt(name.slice(16), 16)
  if (head.readBigUInt64LE(8) !== BigInt(number) * BigInt(size)) problems.add('its first page belongs to another segment')
  if (head.readUInt32LE(32) !== size) problems.add(`its first page speaks of segments of ${head.readUInt32LE(32)} bytes`)
  if (systemIdentifier !== undefined && head.readBigUInt64LE(24) !== systemIdentifier) problems.add('belongs to another cluster')
}

async function readHead(source: AsyncIterable<Uint8Array>): Promise<{ readonly size: number; readonly head: Buffer }> {
  let head = Buffer.alloc(0)
  let size = 0
  for await (const chunk of source) {
    if (head.length < 4096) head = Buffer.concat([head, chunk.subarray(0, 4096)])
    size += chunk.length
  }
  return { size, head }
}

/** Segment names from the one that holds `start` to the one that holds the byte before `end`. */
export function segmentsBetween(
  timeline: string,
  range: { readonly start: bigint; readonly end: bigint },
  segmentBytes: number,
): readonly string[] {
  const bytes = BigInt(segmentBytes)
  const perId = 2n ** 32n / bytes
  const hex = (value: bigint): string => value.toString(16).toUpperCase().padStart(8, '0')
  const names: string[] = []
  for (let number = range.start / bytes; number <= (range.end - 1n) / bytes; number += 1n) {
    names.push(timeline + hex(number / perId) + hex(number % perId))
  }
  return names
}
