import type { Hash } from 'node:crypto'
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '@waltz/errors'
import type { ObjectInfo } from '@waltz/storage'

/** One listed object: what a plan says of it, and what is compared when it is carried out. */
export interface SpooledObject {
  readonly key: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modifiedMs: number
  /** What changes when the object does: its etag, else its modification time. */
  readonly mark: string
}

/** A part of a spool, in bytes from its beginning; from one position that was asked for to another. */
export interface SpoolRange {
  readonly from: number
  readonly to: number
}

/** Objects in the order they were added, in a file: a list may be longer than memory is large. */
export interface ObjectSpool extends AsyncDisposable {
  readonly count: number
  add(object: SpooledObject): void
  /** Where the next object will begin. */
  position(): number
  /** To be waited for now and then while objects are added: only then does anything leave memory. */
  settle(): void | Promise<void>
  /** Adds the objects of a part to a hash: the same bytes for the same objects, however they are divided into parts. */
  hashInto(hash: Hash, range: SpoolRange): Promise<void>
  /** The objects of a part, many at once. May be read any number of times. */
  read(range?: SpoolRange): AsyncIterable<readonly SpooledObject[]>
}

/** What stays in memory of each spool: a small repository needs no file at all. */
const BUFFER_BYTES = 262_144

/** Makes files for spools; disposing of it removes them. */
export interface SpoolFolder extends AsyncDisposable {
  create(name: string): ObjectSpool
}

/** Makes files for spools in a folder of their own below `folder`, once one is needed. */
export function createSpoolFolder(folder: string): SpoolFolder {
  let made: Promise<string> | undefined
  const spools: ObjectSpool[] = []
  const place = (): Promise<string> => (made ??= mkdtemp(join(folder, 'waltz-removal-')))
  return {
    create(name) {
      const spool = createSpool(async () => join(await place(), name))
      spools.push(spool)
      return spool
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(spools.map((spool) => spool[Symbol.asyncDispose]()))
      if (made !== undefined) await rm(await made, { recursive: true, force: true })
    },
  }
}

/** What was added last, before it is in the file: bytes at once, because texts that wait are much work for the collector of garbage. */
interface Tail {
  readonly full: Buffer[]
  open: Buffer
  used: number
}

const BLOCK_BYTES = 65_536
/** Of one unit of a text. */
const MOST_UTF8_BYTES = 3

function append(tail: Tail, line: string): number {
  const most = line.length * MOST_UTF8_BYTES
  if (tail.used + most > tail.open.length) {
    tail.full.push(tail.open.subarray(0, tail.used))
    tail.open = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, most))
    tail.used = 0
  }
  const written = tail.open.write(line, tail.used)
  tail.used += written
  return written
}

function createSpool(place: () => Promise<string>): ObjectSpool {
  let file: FileHandle | undefined
  let filed = 0
  let end = 0
  let count = 0
  const tail: Tail = { full: [], open: Buffer.alloc(0), used: 0 }
  const waiting = (): Buffer => Buffer.concat([...tail.full, tail.open.subarray(0, tail.used)])
  const flush = async (): Promise<void> => {
    const bytes = waiting()
    Object.assign(tail, { open: Buffer.alloc(0), used: 0 }).full.length = 0
    filed += bytes.length
    file ??= await open(await place(), 'wx+', 0o600)
    // Not `write`, which may write less.
    await file.appendFile(bytes)
  }
  /** Each is good until the next one is asked for: blocks of their own would wait for the collector of garbage, all at once. */
  async function* chunks({ from, to }: SpoolRange = { from: 0, to: end }): AsyncGenerator<Buffer> {
    if (file === undefined) {
      yield waiting().subarray(from, to)
      return
    }
    if (end > filed) await flush()
    const block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, to - from))
    for (let at = from; at < to;) {
      const { bytesRead } = await file.read(block, 0, Math.min(block.length, to - at), at)
      if (bytesRead === 0) throw new Fault('internal', 'REMOVAL_LIST_LOST', 'the list of objects in the temporary folder was cut short')
      at += bytesRead
      yield block.subarray(0, bytesRead)
    }
  }
  return {
    get count() {
      return count
    },
    add(object) {
      count += 1
      end += append(tail, formatLine(object))
    },
    position: () => end,
    settle: () => (end - filed > BUFFER_BYTES ? flush() : undefined),
    async hashInto(hash, range) {
      for await (const chunk of chunks(range)) hash.update(chunk)
    },
    read: (range) => parseLines(chunks(range)),
    async [Symbol.asyncDispose]() {
      await file?.close()
      file = undefined
    },
  }
}

const NEWLINE = 10
const SPECIAL = /[\\\t\n]/
const SPECIALS = /[\\\t\n]/g
const ESCAPED = /\\[\\tn]/g
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n' }
const PLAIN: Readonly<Record<string, string>> = { '\\\\': '\\', '\\t': '\t', '\\n': '\n' }

/** Four fields with tabs between them: JSON takes three times as long. */
function formatLine({ key, size, modifiedMs, mark }: SpooledObject): string {
  return `${escaped(key)}\t${size}\t${modifiedMs}\t${escaped(mark)}\n`
}

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(SPECIALS, (found) => ESCAPES[found] ?? '') : text
}

function plain(text: string): string {
  return text.includes('\\') ? text.replace(ESCAPED, (found) => PLAIN[found] ?? '') : text
}

async function* parseLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly SpooledObject[]> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = bytes.lastIndexOf(NEWLINE) + 1
    rest = Buffer.from(bytes.subarray(end))
    const lines = bytes.toString('utf8', 0, end).split('\n')
    lines.pop() // what is behind the last line
    yield lines.map(parseLine)
  }
}

function parseLine(line: string): SpooledObject {
  const [key = '', size, modifiedMs, mark = ''] = line.split('\t')
  return { key: plain(key), size: Number(size), modifiedMs: Number(modifiedMs), mark: plain(mark) }
}

/** An object of a listing as a spool keeps it. */
export function spooled({ key, size, modifiedAt, modifiedAtNs, etag }: ObjectInfo): SpooledObject {
  return { key, size, modifiedMs: modifiedAt.getTime(), mark: etag ?? String(modifiedAtNs ?? modifiedAt.getTime()) }
}
