import { createReadStream } from 'node:fs'
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
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

/** Objects in the order they were added, in a file: a list may be longer than memory is large. */
export interface ObjectSpool extends AsyncDisposable {
  readonly count: number
  add(object: SpooledObject): void | Promise<void>
  /** All that was added so far. May be read any number of times. */
  read(): AsyncIterable<SpooledObject>
}

/** What stays in memory of each spool: a small repository needs no file at all. */
const BUFFER_CHARACTERS = 262_144

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

function createSpool(place: () => Promise<string>): ObjectSpool {
  let path: string | undefined
  let file: FileHandle | undefined
  let count = 0
  let lines = ''
  const flush = async (): Promise<void> => {
    const text = lines
    lines = ''
    path ??= await place()
    file ??= await open(path, 'wx', 0o600)
    await file.write(text)
  }
  return {
    get count() {
      return count
    },
    add({ key, size, modifiedMs, mark }) {
      count += 1
      lines += `${JSON.stringify([key, size, modifiedMs, mark])}\n`
      return lines.length > BUFFER_CHARACTERS ? flush() : undefined
    },
    async *read() {
      if (path !== undefined) {
        if (lines !== '') await flush()
        // Not by readline, which also ends lines at characters that JSON leaves as they are, and takes three times as long.
        let rest = ''
        for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: BUFFER_CHARACTERS })) {
          const complete = (rest + String(chunk)).split('\n')
          rest = complete.pop() ?? ''
          for (const line of complete) yield parsed(line)
        }
        return
      }
      for (const line of lines.split('\n')) if (line !== '') yield parsed(line)
    },
    async [Symbol.asyncDispose]() {
      await file?.close()
      file = undefined
    },
  }
}

function parsed(line: string): SpooledObject {
  const [key, size, modifiedMs, mark] = JSON.parse(line) as [string, number, number, string]
  return { key, size, modifiedMs, mark }
}

/** An object of a listing as a spool keeps it. */
export function spooled({ key, size, modifiedAt, modifiedAtNs, etag }: ObjectInfo): SpooledObject {
  return { key, size, modifiedMs: modifiedAt.getTime(), mark: etag ?? String(modifiedAtNs ?? modifiedAt.getTime()) }
}
