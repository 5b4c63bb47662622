import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from '../../src/run.ts'
import { createFakeIo } from '../fake-io.ts'

/** Backups of WAL-G 3.0.9 with permanent ones and user data, the marks it was told to make one after the other, and what was marked then. */
const fixture = JSON.parse(readFileSync(new URL('../fixtures/marks/user-data-permanent.json', import.meta.url), 'utf8')) as {
  readonly objects: Readonly<Record<string, string>>
  readonly marks: readonly {
    readonly args: readonly string[]
    readonly exit: number
    readonly permanent: Readonly<Record<string, boolean>>
  }[]
  readonly metadataAtTheEnd: Readonly<Record<string, string>>
}

const EXIT_OF: Readonly<Record<string, number>> = { LATEST: 74, base_000000010000000000000013: 21 }

describe('backup-mark', () => {
  it('marks what WAL-G marks, command by command', async () => {
    using io = createFakeIo()
    const root = join(io.cwd, 'repository')
    for (const [key, text] of Object.entries(fixture.objects)) {
      mkdirSync(dirname(join(root, key)), { recursive: true })
      writeFileSync(join(root, key), text)
    }
    const metadataOf = (backup: string): string => readFileSync(join(root, `basebackups_005/${backup}/metadata.json`), 'utf8')
    expect(fixture.marks).toHaveLength(7)
    for (const { args, exit, permanent } of fixture.marks) {
      const code = await run(args, { ...io, env: { WALG_FILE_PREFIX: root } })
      // WAL-G fails with 1 whatever happened.
      expect([args, code === 0]).toEqual([args, exit === 0])
      if (exit !== 0) expect(code).toBe(EXIT_OF[args.at(-1) ?? ''])
      const marked = Object.keys(permanent).map((name) => [name, (JSON.parse(metadataOf(name)) as { is_permanent: boolean }).is_permanent])
      expect([args, Object.fromEntries(marked)]).toEqual([args, permanent])
    }
    // To the byte: what WAL-G rewrote it had written itself.
    for (const [backup, text] of Object.entries(fixture.metadataAtTheEnd)) expect(metadataOf(backup)).toBe(text)
    for (const [key, text] of Object.entries(fixture.objects))
      if (!key.endsWith('metadata.json')) expect(readFileSync(join(root, key), 'utf8')).toBe(text)
    expect(io.out()).toBe('')
  })
})
