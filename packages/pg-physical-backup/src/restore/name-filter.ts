import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmdirSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The names of a backup, as a set that also remembers which of them were met. Names are kept as 64-bit fingerprints,
 * in memory up to a fixed number and in a hash table on disk beyond it, so that memory does not follow the number of
 * files.
 */
export interface NameFilter extends Disposable {
  /** How many different names were added. */
  readonly size: number
  /** How many of them were marked. */
  readonly marked: number
  /** Adds a name; adding it again changes nothing. */
  add(name: string): void
  has(name: string): boolean
  /** Marks a name as met and tells whether it is one of the set. */
  mark(name: string): boolean
  isMarked(name: string): boolean
}

/** Where and how large. */
export interface NameFilterOptions {
  /** Where the table on disk goes if there must be one. Its file is private and unlinked as soon as it is open. */
  readonly spoolDirectory: string
  /** Names kept in memory, 8 to 16 bytes each. */
  readonly maxNamesInMemory?: number
}

/** Slots of a table: two 32-bit words each, all zero when free; the lowest bit of the second word is the mark. */
interface SlotTable {
  readonly capacity: number
  read(slot: number): readonly [low: number, high: number]
  write(slot: number, low: number, high: number): void
  close(): void
}

const defaultNamesInMemory = 1 << 20

/** An empty filter. Nothing is written to disk before the names no longer fit in memory. */
export function createNameFilter(options: NameFilterOptions): NameFilter {
  const limit = options.maxNamesInMemory ?? defaultNamesInMemory
  let table = memoryTable(1024)
  let size = 0
  let marked = 0

  const grow = (): void => {
    const larger = table.capacity * 2 <= limit * 2 ? memoryTable(table.capacity * 2) : diskTable(table.capacity * 4, options.spoolDirectory)
    for (let slot = 0; slot < table.capacity; slot++) {
      const [low, high] = table.read(slot)
      if (low !== 0 || high !== 0) larger.write(find(larger, low, high), low, high)
    }
    table.close()
    table = larger
  }
  const locate = (name: string): readonly [slot: number, low: number, high: number] => {
    const [low, high] = fingerprint(name)
    return [find(table, low, high), low, high]
  }
  const stateOf = (name: string): 'absent' | 'present' | 'marked' => {
    const [low, high] = table.read(locate(name)[0])
    return low === 0 && high === 0 ? 'absent' : (high & 1) === 1 ? 'marked' : 'present'
  }

  return {
    get size() {
      return size
    },
    get marked() {
      return marked
    },
    add(name) {
      if (stateOf(name) !== 'absent') return
      if ((size + 1) * 2 > table.capacity) grow()
      const [slot, low, high] = locate(name)
      table.write(slot, low, high)
      size++
    },
    has: (name) => stateOf(name) !== 'absent',
    isMarked: (name) => stateOf(name) === 'marked',
    mark(name) {
      const state = stateOf(name)
      if (state !== 'present') return state === 'marked'
      const [slot, low, high] = locate(name)
      table.write(slot, low, (high | 1) >>> 0)
      marked++
      return true
    },
    [Symbol.dispose]: () => table.close(),
  }
}

/** The slot that holds the fingerprint, or the free one where it belongs. Linear probing; tables are at most half full. */
function find(table: SlotTable, low: number, high: number): number {
  const mask = table.capacity - 1
  let slot = (low ^ (high >>> 7)) & mask
  for (;;) {
    const [slotLow, slotHigh] = table.read(slot)
    if ((slotLow === 0 && slotHigh === 0) || (slotLow === low && slotHigh >>> 1 === high >>> 1)) return slot
    slot = (slot + 1) & mask
  }
}

/**
 * 63 bits over the UTF-16 units of a name, in two words; the lowest bit of the second is free for the mark, the first
 * is never 0. Two rounds of multiply and rotate per unit with the finish of MurmurHash3.
 */
function fingerprint(name: string): readonly [low: number, high: number] {
  let a = 0x9e3779b9 ^ name.length
  let b = 0x85ebca6b ^ name.length
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index)
    a = Math.imul(a ^ unit, 0xcc9e2d51)
    a = (a << 15) | (a >>> 17)
    b = Math.imul(b + unit, 0x1b873593)
    b = (b << 13) | (b >>> 19)
    a = (a + b) | 0
  }
  const low = finish(a ^ (b >>> 3))
  return [low === 0 ? 1 : low, (finish(b + Math.imul(a, 5)) & 0xfffffffe) >>> 0]
}

function finish(value: number): number {
  let mixed = value ^ (value >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

function memoryTable(capacity: number): SlotTable {
  const words = new Uint32Array(capacity * 2)
  return {
    capacity,
    read: (slot) => [words[slot * 2] ?? 0, words[slot * 2 + 1] ?? 0],
    write: (slot, low, high) => {
      words[slot * 2] = low
      words[slot * 2 + 1] = high
    },
    close: () => undefined,
  }
}

const pageSlots = 512
const cachedPages = 1024

/** Slots in a sparse file, through a small cache of pages that are written back when another page needs their place. */
function diskTable(capacity: number, directory: string): SlotTable {
  mkdirSync(directory, { recursive: true })
  const folder = mkdtempSync(join(directory, 'waltz-names-'))
  const fd = openSync(join(folder, 'table'), 'wx+', 0o600)
  unlinkSync(join(folder, 'table'))
  rmdirSync(folder)
  const held = new Int32Array(cachedPages).fill(-1)
  const dirty = new Uint8Array(cachedPages)
  const words = Array.from({ length: cachedPages }, () => new Uint32Array(0))

  const pageOf = (slot: number): Uint32Array => {
    const page = Math.floor(slot / pageSlots)
    const place = page % cachedPages
    let content = words[place] as Uint32Array
    if (held[place] === page) return content
    if (dirty[place] === 1) writeSync(fd, content, 0, content.byteLength, (held[place] ?? 0) * pageSlots * 8)
    if (content.length === 0) words[place] = content = new Uint32Array(pageSlots * 2)
    content.fill(0)
    readSync(fd, content, 0, content.byteLength, page * pageSlots * 8)
    held[place] = page
    dirty[place] = 0
    return content
  }
  return {
    capacity,
    read: (slot) => {
      const content = pageOf(slot)
      const at = (slot % pageSlots) * 2
      return [content[at] ?? 0, content[at + 1] ?? 0]
    },
    write: (slot, low, high) => {
      const content = pageOf(slot)
      const at = (slot % pageSlots) * 2
      content[at] = low
      content[at + 1] = high
      dirty[Math.floor(slot / pageSlots) % cachedPages] = 1
    },
    close: () => closeSync(fd),
  }
}
