import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../src/run.ts'

// What WAL-G printed was recorded in this zone.
process.env['TZ'] = 'UTC'

// Repositories that WAL-G wrote, and what it printed for them: they lie beside the checkout where they are at hand.
const fixtures = fileURLToPath(new URL('../../../../../shared/fixtures/', import.meta.url))
const found = existsSync(fixtures)
if (!found) console.warn(`SKIPPED: no WAL-G repositories in ${fixtures}`)

const SOURCES = {
  'delta-plain': 'delta/plain',
  remote: 'remote/pg15-tablespaces',
  retention: 'retention',
  'timelines-main': 'timelines/main',
  empty: undefined,
}
const FORMS = ['plain', 'pretty', 'json', 'json-pretty', 'detail', 'detail-pretty', 'detail-json', 'detail-json-pretty']

/** What stood on each stream, log lines without their time. */
function recorded(listing: string, form: string): { readonly stdout: string; readonly stderr: string } {
  const text = readFileSync(join(fixtures, 'listings', listing, `backup-list-${form}.txt`), 'utf8')
  const [, rest = ''] = text.split('--- stdout\n')
  const [stdout = '', stderr = ''] = rest.split('--- stderr\n')
  return { stdout, stderr: withoutTimes(stderr) }
}

function withoutTimes(log: string): string {
  return log.replace(/ \d{4}\/\d\d\/\d\d [\d:.]+ /g, ' ')
}

describe.skipIf(!found)('backup-list prints what WAL-G prints', () => {
  const work = mkdtempSync(join(tmpdir(), 'waltz-backup-list-'))
  afterAll(() => rmSync(work, { recursive: true }))

  describe.each(Object.entries(SOURCES))('%s', (listing, source) => {
    const root = join(work, listing)
    beforeAll(() => {
      if (source === undefined) {
        mkdirSync(root)
        return
      }
      cpSync(join(fixtures, source, 'repo'), root, { recursive: true })
      execFileSync('sh', [join(fixtures, 'apply-mtimes.sh'), join(fixtures, source), root])
    })

    it.each(FORMS)('%s', async (form) => {
      const flags = form === 'plain' ? [] : form.split('-').map((flag) => `--${flag}`)
      let [stdout, stderr] = ['', '']
      const exitCode = await run(['backup-list', ...flags], {
        env: { WALG_FILE_PREFIX: root },
        cwd: work,
        home: undefined,
        hostname: 'test',
        stdout: (text) => void (stdout += text),
        stderr: (text) => void (stderr += text),
        terminal: { interactive: false, columns: 80 },
        signal: new AbortController().signal,
        now: () => new Date(),
      })
      expect({ stdout, stderr: withoutTimes(stderr) }).toEqual(recorded(listing, form))
      expect(exitCode).toBe(0)
    })
  })
})
