import type { ProblemList } from './report.ts'

/** A member as its header shows it. */
export interface StrictTarMember {
  readonly name: string
  readonly type: 'file' | 'directory'
  readonly mode: number
  readonly size: number
  /** The first bytes of a file, for checks of small ones. */
  readonly head: Uint8Array
}

const HEAD_BYTES = 65_536

/**
 * Walks a tar archive as RF 3.4 wants it: ustar headers with PAX records where needed, files and directories only, and a
 * trailer of exactly 1024 zero bytes with nothing behind. Anything else is added to `problems`; what makes no sense of the rest
 * ends the walk.
 */
export async function walkTar(source: AsyncIterable<Uint8Array>, problems: ProblemList): Promise<readonly StrictTarMember[]> {
  const members: StrictTarMember[] = []
  const input = exactReader(source)
  let extended: ReadonlyMap<string, string> | undefined
  for (;;) {
    const block = await input.read(512)
    if (block === undefined) {
      problems.add('the archive ends without its trailer')
      return members
    }
    if (isZero(block)) break
    const header = decodeHeader(block, problems.at(`member ${members.length + 1}`))
    if (header === undefined) return members
    if (header.typeflag === 'x') {
      if (extended !== undefined) problems.add('two PAX headers in a row')
      const records = await input.read(header.size)
      if (records === undefined || !(await skipPadding(input, header.size, problems))) return members
      extended = parsePax(records, problems.at('PAX header'))
      continue
    }
    const name = extended?.get('path') ?? header.name
    const size = extended?.has('size') === true ? Number(extended.get('size')) : header.size
    extended = undefined
    const at = problems.at(JSON.stringify(name))
    const type = memberType(header, at)
    if (type === 'directory' && size !== 0) at.add('a directory with content')
    const head = await input.read(Math.min(size, HEAD_BYTES))
    if (head === undefined || !(await input.skip(size - head.length)) || !(await skipPadding(input, size, at))) {
      at.add('the archive ends inside this member')
      return members
    }
    if (type !== undefined) members.push({ name, type, mode: header.mode, size, head })
  }
  if (extended !== undefined) problems.add('a PAX header without its member')
  const second = await input.read(512)
  if (second === undefined || !isZero(second)) problems.add('the trailer is not two zero blocks')
  const more = await input.drain()
  if (more > 0) problems.add(`${more} bytes behind the trailer`)
  return members
}

interface Header {
  readonly name: string
  readonly typeflag: string
  readonly mode: number
  readonly size: number
  readonly linkname: string
}

function decodeHeader(block: Buffer, problems: ProblemList): Header | undefined {
  const text = (start: number, length: number): string => {
    const field = block.subarray(start, start + length)
    const end = field.indexOf(0)
    return field.subarray(0, end === -1 ? length : end).toString('utf8')
  }
  const number = (start: number, length: number, what: string): number => {
    const field = text(start, length).trim()
    if (!/^[0-7]*$/.test(field) || ((block[start] ?? 0) & 0x80) !== 0) problems.add(`${what} is not octal`)
    return field === '' ? 0 : Number.parseInt(field, 8)
  }
  let sum = 0
  for (let index = 0; index < 512; index += 1) sum += index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0)
  if (number(148, 8, 'checksum') !== sum) {
    problems.add('the header checksum is wrong')
    return undefined
  }
  if (block.subarray(257, 265).toString('latin1') !== 'ustar\x0000') {
    problems.add('the header is not ustar')
    return undefined
  }
  const prefix = text(345, 155)
  if (number(329, 8, 'devmajor') !== 0 || number(337, 8, 'devminor') !== 0) problems.add('a device number')
  for (const [start, what] of [
    [108, 'uid'],
    [116, 'gid'],
  ] as const)
    number(start, 8, what)
  number(136, 12, 'mtime')
  const mode = number(100, 8, 'mode')
  if (mode > 0o7777) problems.add('mode has more than permission bits')
  return {
    name: prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`,
    typeflag: String.fromCharCode(block[156] ?? 0),
    mode,
    size: number(124, 12, 'size'),
    linkname: text(157, 100),
  }
}

function memberType(header: Header, problems: ProblemList): StrictTarMember['type'] | undefined {
  if (header.linkname !== '') problems.add('has a link name')
  if (header.typeflag === '0') return 'file'
  if (header.typeflag === '5') return 'directory'
  const kind: Readonly<Record<string, string>> = {
    '1': 'a hard link',
    '2': 'a symbolic link',
    '3': 'a device',
    '4': 'a device',
    '6': 'a FIFO',
  }
  problems.add(`is ${kind[header.typeflag] ?? `of type ${JSON.stringify(header.typeflag)}`}, not a file or directory`)
  return undefined
}

const PAX_KEYS = new Set(['path', 'size', 'uid', 'gid', 'uname', 'gname', 'mtime'])

function parsePax(records: Buffer, problems: ProblemList): ReadonlyMap<string, string> {
  const result = new Map<string, string>()
  let at = 0
  while (at < records.length) {
    const space = records.indexOf(0x20, at)
    const length = Number(records.subarray(at, space).toString('latin1'))
    const record = records.subarray(space + 1, at + length)
    const equals = record.indexOf(0x3d)
    if (space === -1 || !(length > 0) || at + length > records.length || equals < 1 || record.at(-1) !== 0x0a) {
      problems.add('a malformed record')
      return result
    }
    const key = record.subarray(0, equals).toString('utf8')
    if (!PAX_KEYS.has(key)) problems.add(`the record ${key}, which WAL-G does not write`)
    if (result.has(key)) problems.add(`the record ${key} twice`)
    result.set(key, record.subarray(equals + 1, -1).toString('utf8'))
    at += length
  }
  return result
}

async function skipPadding(input: ExactReader, size: number, problems: ProblemList): Promise<boolean> {
  const padding = await input.read((512 - (size % 512)) % 512)
  if (padding === undefined) return false
  if (!isZero(padding)) problems.add('the padding is not zero')
  return true
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

interface ExactReader {
  /** Undefined when the source ends before. */
  read(bytes: number): Promise<Buffer | undefined>
  skip(bytes: number): Promise<boolean>
  /** Reads to the end; how many bytes there were. */
  drain(): Promise<number>
}

function exactReader(source: AsyncIterable<Uint8Array>): ExactReader {
  const iterator = source[Symbol.asyncIterator]()
  let chunk: Uint8Array = new Uint8Array(0)
  const refill = async (): Promise<boolean> => {
    while (chunk.length === 0) {
      const next = await iterator.next()
      if (next.done === true) return false
      chunk = next.value
    }
    return true
  }
  const take = async (bytes: number, keep: Uint8Array[] | undefined): Promise<boolean> => {
    let missing = bytes
    while (missing > 0) {
      if (!(await refill())) return false
      const part = chunk.subarray(0, missing)
      keep?.push(part)
      chunk = chunk.subarray(part.length)
      missing -= part.length
    }
    return true
  }
  return {
    read: async (bytes) => {
      const parts: Uint8Array[] = []
      return (await take(bytes, parts)) ? Buffer.concat(parts) : undefined
    },
    skip: (bytes) => take(bytes, undefined),
    drain: async () => {
      let count = 0
      while (await refill()) {
        count += chunk.length
        chunk = new Uint8Array(0)
      }
      return count
    },
  }
}
