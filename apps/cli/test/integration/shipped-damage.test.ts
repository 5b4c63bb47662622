import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, soaking } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyShipped, dist, fetchOne, folder, HISTORY, pushOne, removeShipped, source, start, STOP } from '../support/shipped.ts'

beforeAll(copyShipped)
afterAll(removeShipped)

/** What is left of a file. */
const KINDS = [0, 0.5, 0.9]

describe('a damaged installation', () => {
  const copy = folder.join('damaged')
  const program = join(copy, 'waltz')
  beforeAll(async () => {
    cpSync(dist, copy, { recursive: true })
    await mustRun('/bin/chmod', ['-R', 'u+w', copy], { user: 'self' })
  })

  it('says so when the part that a command needs is missing', async () => {
    const chunks = join(copy, 'lib/chunks')
    const name = readdirSync(chunks).find((file) => file.startsWith('backup-list.run-')) ?? ''
    await without(join(chunks, name), async () => {
      const { code, stderr } = await start(['backup-list'], { program })
      expect([code, stderr]).toEqual([70, expect.stringMatching(/INSTALLATION_BROKEN[^]*copy the whole folder again/)])
    })
    await without(join(copy, 'lib/wal.cjs'), async () => {
      expect(await start(fetchOne(), { program })).toMatchObject({ code: STOP, stderr: expect.stringContaining('copy the whole folder') })
      expect((await start(pushOne, { program })).code).toBe(70)
    })
    for (const word of ['backup-list', 'wal-push', 'wal-fetch']) {
      await without(join(copy, 'lib/launch.cjs'), async () => {
        const { code, stderr } = await start([word], { program })
        expect([code, stderr]).toEqual([word === 'wal-fetch' ? STOP : 70, expect.stringContaining('launch.cjs is missing')])
      })
    }
  })

  it.each(['@antoniomuso', '@node-rs', 'lz4-napi'])('says so when the native code of %s is missing', async (name) => {
    await without(join(copy, 'node_modules', name), async () => {
      const fetched = await start(fetchOne(), { program })
      expect([fetched.code, fetched.stderr]).toEqual([STOP, expect.stringContaining('CODEC_LOAD_FAILED')])
      const pushed = await start(pushOne, { program })
      expect([pushed.code, pushed.stderr]).toEqual([25, expect.stringContaining('CODEC_LOAD_FAILED')])
      expect((await start(['backup-list'], { program })).code).toBe(0)
    })
  })

  it(
    'is never taken for the end of the WAL, nor for a stored file, whichever file is gone, empty or cut',
    { timeout: 300_000 },
    async () => {
      // Of the packages those that these commands load; others belong to ciphers and codecs that nothing here asks for.
      const packages = ['@antoniomuso', '@node-rs', 'lz4-napi'].map((name) => join('node_modules', name))
      const files = ['waltz', 'package.json', 'lib', ...packages].flatMap((name) => filesBelow(join(copy, name)))
      const ended: string[] = []
      for (const [index, file] of files.filter((path) => !/(LICENSE|README\.md|\/waltz)$/.test(path)).entries()) {
        const whole = readFileSync(file)
        // Most chunks are loaded by other commands. Unless there is time each file suffers one kind of damage, in turn.
        const other = /\/chunks\/(?!backup-list\.run|chunk|none|run)/.test(file)
        if (other && !soaking && index % 3 > 0) continue
        for (const rest of soaking && !other ? KINDS : [KINDS[Math.trunc(index / (other ? 3 : 1)) % 3] ?? 0]) {
          writeFileSync(file, whole.subarray(0, whole.length * rest))
          const fetchedFile = join(folder.path, 'fetched')
          rmSync(fetchedFile, { force: true })
          const [list, fetched] = await Promise.all([start(['backup-list'], { program }), start(fetchOne(), { program })])
          const complete = existsSync(fetchedFile)
          const pushed = await start(['wal-push', join(source, HISTORY)], { program })
          const what = `${file.slice(copy.length)} cut to ${rest}`
          if (fetched.code !== STOP && !(fetched.code === 0 && complete)) ended.push(`${what}: wal-fetch ${String(fetched.code)}`)
          if (pushed.code === undefined || pushed.code > 125) ended.push(`${what}: wal-push ${String(pushed.code)}`)
          if (pushed.code === 0 && !pushed.stderr.includes('FILE PATH')) ended.push(`${what}: wal-push 0 and nothing done`)
          // 1 is what Node itself says of the one file that it starts with.
          if (![0, 70, file.endsWith('launch.cjs') ? 1 : 70].includes(list.code ?? -1))
            ended.push(`${what}: backup-list ${String(list.code)}`)
          if (list.code === 0 && !list.stderr.includes('List backups')) ended.push(`${what}: backup-list 0 and nothing done`)
        }
        writeFileSync(file, whole)
      }
      expect(ended).toEqual([])
    },
  )
})

function filesBelow(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)))
}

/** Hides a file or a folder while `work` runs. */
async function without(path: string, work: () => Promise<void>): Promise<void> {
  const hidden = `${path}.hidden`
  cpSync(path, hidden, { recursive: true })
  rmSync(path, { recursive: true })
  try {
    await work()
  } finally {
    cpSync(hidden, path, { recursive: true })
    rmSync(hidden, { recursive: true })
  }
}
