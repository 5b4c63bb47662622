import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  acceptsText,
  defaultText,
  flagNameOf,
  listSettings,
  namesOf,
  renderSettingsReference,
  settingsTable,
  type SettingRow,
  type SettingRows,
} from '../src/index.ts'

const table: SettingRows = settingsTable
const rows = Object.entries(table)

describe('the settings table', () => {
  it('has every flag of WAL-G', () => {
    const recorded = readFileSync(new URL('fixtures/wal-g-flags.txt', import.meta.url), 'utf8')
      .trim()
      .split('\n')
    expect(recorded).toHaveLength(202)
    const known = new Set(rows.flatMap(([, row]) => (row.flag === false ? [] : namesOf(row).map(flagNameOf))))
    expect(recorded.filter((flag) => !known.has(flag))).toEqual([])
  })

  it('has no name twice', () => {
    const names = rows.flatMap(([, row]) => [...namesOf(row)])
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('has keys that follow from the names', () => {
    const plain = (name: string) =>
      name
        .replace(/^(WALG|WALTZ)_/, '')
        .replaceAll('_', '')
        .toLowerCase()
    for (const [key, row] of rows) if (row.availability === 'now') expect(key.replace(/^system/, '').toLowerCase()).toBe(plain(row.name))
  })

  it('says one sentence about each', () => {
    for (const [key, row] of rows) expect(row.summary, key).toMatch(/^[A-Z].*\.$/)
  })

  it('has defaults that its own rules accept', () => {
    for (const [key, row] of rows) {
      if (row.choices !== undefined && row.fallback !== undefined) expect(row.choices, key).toContain(row.fallback)
      if (typeof row.fallback === 'number') expect(row.fallback, key).toBeGreaterThanOrEqual(row.min ?? -Infinity)
    }
  })

  it('hides everything that looks like a secret', () => {
    const open = rows.filter(
      ([, row]) => /PASSWORD|SECRET|PASSPHRASE|TOKEN$|_KEY$/.test(row.name) && row.secret !== true && row.kind !== 'boolean',
    )
    expect(open.map(([, row]) => row.name)).toEqual([])
  })
})

describe('the reference', () => {
  const page = renderSettingsReference(table)

  it('has a line for every setting', () => {
    for (const [, row] of rows) expect(page).toContain(`| \`${row.name}\``)
    expect(page).toContain('| `WALG_FILE_PREFIX` (also `WALE_FILE_PREFIX`) | absolute path |  |')
    expect(page).toContain('| `WALG_PREFETCH_DIR` | ')
  })

  it('gives the reason where a setting will never have an effect', () => {
    expect(page).toContain('It has no effect: standard output belongs to results')
    expect(page).toContain('The S3-compatible endpoint does not hand out roles'.replace('The', 'the'))
  })

  it('says that bytes in flight come before part size and concurrency', () => {
    expect(page).toMatch(/`WALTZ_STORAGE_MAX_BYTES_IN_FLIGHT` .* 134217728 .*overrides part size times concurrency/)
  })

  it('has no setting of a storage that waits for later without a reason', () => {
    const areas = ['storage', 's3', 'gcs', 'azure', 'oss', 'swift', 'ssh', 'failover']
    const waiting = rows.filter(([, row]) => areas.includes(row.area) && row.availability !== 'now' && row.note === undefined)
    expect(waiting.map(([, row]) => row.name)).toEqual([])
  })

  it('keeps its tables whole', () => {
    for (const line of page.split('\n').filter((text) => text.startsWith('|')))
      expect(line.replaceAll('\\|', '').split('|')).toHaveLength(6)
  })

  it('can be had as plain data', () => {
    const described = listSettings(table)
    expect(described).toHaveLength(rows.length)
    expect(described.find(({ name }) => name === 'WALG_UPLOAD_QUEUE')).toEqual({
      key: 'uploadQueue',
      name: 'WALG_UPLOAD_QUEUE',
      otherNames: [],
      flag: '--walg-upload-queue',
      area: 'Concurrency and limits',
      accepts: 'number, 1 to 1024',
      default: '2',
      secret: false,
      available: true,
      summary: 'How many finished tars may still be uploading before packing waits.',
    })
    expect(structuredClone(described)).toEqual(described)
  })

  it('writes values as people would', () => {
    const row = (extra: Partial<SettingRow>): SettingRow => ({
      name: 'X',
      kind: 'duration',
      area: 'process',
      availability: 'now',
      summary: 'S.',
      ...extra,
    })
    expect([60_000, 90_000, 1500, 0].map((fallback) => defaultText(row({ fallback })))).toEqual(['1m', '90s', '1500ms', '0'])
    expect(acceptsText(row({ kind: 'integer', min: 1 }))).toBe('number, at least 1')
  })
})
