import { isFault } from '@waltz/errors'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { createSettings, describeSettings, HIDDEN, parseSettings, redact, settingsTable, withTurbo, type Settings } from '../src/index.ts'
import type { SettingSources } from '../src/index.ts'

const parse = (sources: SettingSources) => parseSettings(settingsTable, sources)
const problemsOf = (sources: SettingSources): string => {
  try {
    parse(sources)
  } catch (error) {
    expect(isFault(error, 'invalid')).toBe(true)
    expect((error as { code: string }).code).toBe('SETTINGS_INVALID')
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}
const file = (values: Record<string, string>) => ({ path: '/home/pg/.walg.json', values })

describe('precedence', () => {
  const levels = ['flag', 'environment', 'file'] as const
  const sourcesWith = (present: readonly string[]): SettingSources => ({
    flags: present.includes('flag') ? { WALG_UPLOAD_QUEUE: '11' } : {},
    environment: present.includes('environment') ? { WALG_UPLOAD_QUEUE: '12' } : {},
    file: present.includes('file') ? file({ walg_upload_queue: '13' }) : undefined,
  })
  const valueOf = { flag: 11, environment: 12, file: 13 } as const

  for (let mask = 0; mask < 8; mask++) {
    const present = levels.filter((_, index) => (mask & (1 << index)) !== 0)
    const winner = present[0]
    it(`takes ${winner ?? 'the default'} out of [${present.join(', ')}]`, () => {
      const parsed = parse(sourcesWith(present))
      expect(parsed.settings.uploadQueue).toBe(winner === undefined ? 2 : valueOf[winner])
      expect(parsed.origins['uploadQueue']?.source).toBe(winner ?? 'default')
    })
  }

  it('takes an empty variable as unset, an empty entry of the file as a value', () => {
    const parsed = parse({ environment: { PGAPPNAME: '' }, file: file({ PGAPPNAME: 'from-file' }) })
    expect(parsed.settings.pgAppName).toBe('from-file')
    expect(parse({ file: file({ PGAPPNAME: '' }) }).settings.pgAppName).toBe('')
    expect(parse({ file: file({ WALG_FILE_PREFIX: '' }) }).settings.filePrefix).toBeUndefined()
    expect(problemsOf({ file: file({ WALG_UPLOAD_QUEUE: '' }) })).toContain(
      'WALG_UPLOAD_QUEUE (/home/pg/.walg.json) must be a whole number',
    )
  })

  it('prefers the first spelling over the stronger source, and says which one it leaves out', () => {
    const parsed = parse({ environment: { WALE_FILE_PREFIX: '/old' }, file: file({ WALG_FILE_PREFIX: '/new' }) })
    expect(parsed.settings.filePrefix).toBe('/new')
    expect(parsed.warnings).toEqual([
      {
        kind: 'overruled',
        name: 'WALE_FILE_PREFIX',
        message: 'WALE_FILE_PREFIX (environment) is not used, because WALG_FILE_PREFIX (/home/pg/.walg.json) is set too',
      },
    ])
    expect(parse({ environment: { WALE_FILE_PREFIX: '/old' } }).settings.filePrefix).toBe('/old')
  })

  it('says where every value came from', () => {
    const { origins } = parse({ flags: { PGHOST: 'a' }, environment: { PGUSER: 'b' }, file: file({ pgdatabase: 'c' }) })
    expect(origins['pgHost']).toEqual({ source: 'flag', name: 'PGHOST', where: 'flag --pghost' })
    expect(origins['pgUser']?.where).toBe('environment')
    expect(origins['pgDatabase']?.where).toBe('/home/pg/.walg.json')
    expect(origins['pgPort']?.where).toBe('default')
  })
})

describe('values', () => {
  it('has the documented defaults', () => {
    expect(parse({}).settings).toMatchObject({
      filePrefix: undefined,
      compressionMethod: 'lz4',
      tarSizeThreshold: 1_073_741_823,
      uploadConcurrency: 16,
      uploadDiskConcurrency: undefined,
      downloadFileRetries: 15,
      aliveCheckInterval: 60_000,
      stopBackupTimeout: 0,
      walWaitTimeout: 60_000,
      walFetchDeadline: 30_000,
      preventWalOverwrite: undefined,
      corruptPages: 'report',
      walPending: 'fail',
      walFetchExitCodes: 'safe',
      pgPort: '5432',
      pgSslMode: 'prefer',
      pgAppName: 'wal-g',
      pgWalSize: undefined,
      pgBlockSize: 8192,
      logLevel: 'NORMAL',
    })
  })

  it('has types from the table', () => {
    expectTypeOf<Settings['uploadConcurrency']>().toEqualTypeOf<number>()
    expectTypeOf<Settings['pgWalSize']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Settings['preventWalOverwrite']>().toEqualTypeOf<boolean | undefined>()
    expectTypeOf<Settings['compressionMethod']>().toEqualTypeOf<'lz4' | 'lzma' | 'zstd' | 'brotli' | 'none'>()
    expectTypeOf<Settings['filePrefix']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<Settings>().not.toHaveProperty('prefetchDir')
  })

  it('keeps the three states of WALG_PREVENT_WAL_OVERWRITE apart', () => {
    const read = (text: string) => parse({ environment: { WALG_PREVENT_WAL_OVERWRITE: text } }).settings.preventWalOverwrite
    expect([read(''), read('false'), read('F'), read('0'), read('true')]).toEqual([undefined, false, false, false, true])
  })

  it('removes the line end that a file put into a variable', () => {
    const { settings } = parse({ environment: { PGPASSWORD: 'two words \r\n', WALG_UPLOAD_QUEUE: '7\n' } })
    expect(settings).toMatchObject({ pgPassword: 'two words ', uploadQueue: 7 })
  })

  it('understands the ways of writing a directory', () => {
    const read = (text: string) => parse({ environment: { WALG_FILE_PREFIX: text } }).settings.filePrefix
    expect([read('/a b'), read('file://localhost/srv/x'), read('file:///srv/x')]).toEqual(['/a b', '/srv/x', '/srv/x'])
    expect(problemsOf({ environment: { WALG_FILE_PREFIX: 's3://bucket/x' } })).toContain('must be the path of a directory')
    expect(problemsOf({ environment: { WALG_FILE_PREFIX: 'backups' } })).toContain('must be an absolute path')
  })

  it('keeps JSON as checked text, so that no digit is lost', () => {
    const text = '{"id": 12345678901234567890}'
    expect(parse({ flags: { WALG_SENTINEL_USER_DATA: text } }).settings.sentinelUserData).toBe(text)
    expect(problemsOf({ flags: { WALG_SENTINEL_USER_DATA: '{id: 1}' } })).toBe(
      'WALG_SENTINEL_USER_DATA (flag --walg-sentinel-user-data) must be JSON, but is "{id: 1}"',
    )
  })
})

describe('malformed values', () => {
  it.each([
    ['WALG_UPLOAD_CONCURRENCY', '0', 'must be a whole number from 1 to 1024'],
    ['WALG_UPLOAD_CONCURRENCY', 'many', 'must be a whole number from 1 to 1024'],
    ['WALG_TAR_SIZE_THRESHOLD', '-5', 'must be a whole number from 1'],
    ['WALG_PG_WAL_SIZE', '17', 'must be a power of two from 1 to 1024'],
    ['WALG_PG_BLOCK_SIZE', '65536', 'must be a power of two'],
    ['WALG_VERIFY_PAGE_CHECKSUMS', 'yes', 'must be true or false'],
    ['WALG_STOP_BACKUP_TIMEOUT', '5', 'must be a duration'],
    ['WALG_ALIVE_CHECK_INTERVAL', '0', 'must be a duration such as 90s, 5m or 1h30m of at least 1ms'],
    ['WALG_COMPRESSION_METHOD', 'LZ4', 'must be lz4, lzma, zstd, brotli or none'],
    ['WALG_LOG_LEVEL', 'debug', 'must be NORMAL, DEVEL or ERROR'],
    ['WALTZ_MAX_BYTES_IN_FLIGHT', '64 parrots', 'must be a size'],
    ['PGPORT', 'five', 'must be a port number'],
    ['PGSSLMODE', 'maybe', 'must be disable, allow'],
    ['WALTZ_CORRUPT_PAGES', 'ignore', 'must be report or fail'],
  ])('%s=%s is refused', (name, value, asks) => {
    const message = problemsOf({ environment: { [name]: value } })
    expect(message).toContain(`${name} (environment) `)
    expect(message).toContain(asks)
  })

  it('are reported all at once', () => {
    const message = problemsOf({
      environment: { WALG_UPLOAD_QUEUE: 'x', WALG_LOG_LEVEL: 'y' },
      flags: { WALG_LIBSODIUM_KEY_TRANSFORM: 'rot13' },
    })
    expect(message).toMatch(/^3 settings cannot be used:\n/)
    for (const name of ['WALG_UPLOAD_QUEUE', 'WALG_LOG_LEVEL', 'WALG_LIBSODIUM_KEY_TRANSFORM']) expect(message).toContain(name)
  })

  it('are checked against each other', () => {
    expect(problemsOf({ environment: { WALG_ZSTD_LEVEL: 'best' } })).toContain('only has a meaning with WALG_COMPRESSION_METHOD=zstd')
    const both = { WALG_COMPRESSION_METHOD: 'zstd', WALG_ZSTD_LEVEL: 'BEST', WALTZ_COMPRESSION_LEVEL: '3' }
    expect(problemsOf({ environment: both })).toContain('WALTZ_COMPRESSION_LEVEL and WALG_ZSTD_LEVEL cannot be set together')
    expect(parse({ environment: { WALG_COMPRESSION_METHOD: 'zstd', WALG_ZSTD_LEVEL: 'BEST' } }).settings.zstdLevel).toBe('best')
  })

  it('refuses a list or a table where one value belongs', () => {
    expect(parse({ file: { path: '/f.json', values: { walg_s3_request_additional_headers: { 'X-A': 'b' } } } }).settings).toMatchObject({
      s3RequestAdditionalHeaders: '{"X-A":"b"}',
    })
    const values = { WALG_UPLOAD_QUEUE: ['1', '2'] }
    expect(problemsOf({ file: { path: '/f.json', values } })).toBe('WALG_UPLOAD_QUEUE (/f.json) must be one value, not a list or a table')
  })

  it('never show a secret', () => {
    const secret = { kind: 'integer', name: 'PIN', area: 'process', availability: 'now', secret: true, summary: 'x' } as const
    let text = ''
    try {
      parseSettings({ secret }, { environment: { PIN: 'hunter2' } })
    } catch (error) {
      text = JSON.stringify(error) + (error as Error).message + (error as Error).stack
    }
    expect(text).toContain('PIN')
    expect(text).not.toContain('hunter2')
  })
})

describe('settings that Waltz cannot serve yet', () => {
  it.each([
    ['WALG_DELTA_MAX_STEPS', '6'],
    ['WALG_USE_WAL_DELTA', 'true'],
    ['WALG_UPLOAD_WAL_METADATA', 'BULK'],
    ['WALG_PREFETCH_DIR', '/tmp'],
    ['PGSERVICE', 'main'],
  ])('%s=%s is warned about', (name, value) => {
    const { warnings } = parse({ environment: { [name]: value } })
    expect(warnings).toMatchObject([{ kind: 'no-effect', name }])
  })

  it('says nothing where nothing is asked for', () => {
    const environment = {
      WALG_DELTA_MAX_STEPS: '0',
      WALG_USE_WAL_DELTA: 'false',
      WALG_TARGET_STORAGE: 'default',
      WALG_UPLOAD_WAL_METADATA: 'NOMETADATA',
      WALG_FAILOVER_STORAGES: '{}',
      AWS_REGION: 'eu-west-1',
      GOMAXPROCS: '4',
      HTTP_LISTEN: ':80',
      WALG_SERIALIZER_TYPE: 'json_streamed',
    }
    expect(parse({ environment }).warnings).toEqual([])
  })

  it('warns about names of other programs only where they were meant for us', () => {
    expect(parse({ file: file({ HTTP_LISTEN: ':80' }) }).warnings).toMatchObject([{ name: 'HTTP_LISTEN' }])
  })
})

describe('unknown names', () => {
  it('are warned about with the nearest known name', () => {
    const { warnings } = parse({
      environment: { WALG_FIEL_PREFIX: '/x', WALTZ_SPOOLDIR: '/y', PATH: '/bin', WALG_EMPTY: '' },
      file: file({ walg_upload_queu: '1', something_else_entirely: '2' }),
    })
    expect(warnings).toMatchObject([
      { kind: 'unknown', name: 'WALG_FIEL_PREFIX', nearest: 'WALG_FILE_PREFIX' },
      { kind: 'unknown', name: 'WALTZ_SPOOLDIR', nearest: 'WALTZ_SPOOL_DIR' },
      { kind: 'unknown', name: 'WALG_UPLOAD_QUEU', nearest: 'WALG_UPLOAD_QUEUE' },
      { kind: 'unknown', name: 'SOMETHING_ELSE_ENTIRELY' },
    ])
    expect(warnings[0]?.message).toBe('WALG_FIEL_PREFIX (environment) is not a setting. Did you mean WALG_FILE_PREFIX?')
    expect(warnings[3]).not.toHaveProperty('nearest')
  })

  it('of other databases are named as such', () => {
    const { warnings } = parse({ environment: { WALG_MYSQL_BINLOG_DST: '/x' } })
    expect(warnings).toMatchObject([{ kind: 'no-effect', message: expect.stringContaining('another database') }])
  })

  it('never carry their value', () => {
    const { warnings } = parse({ environment: { WALG_LIBSODIUM_KEI: 'hunter2' } })
    expect(JSON.stringify(warnings)).not.toContain('hunter2')
  })
})

describe('redaction', () => {
  it('hides secrets and shows the rest with its origin', () => {
    const parsed = parse({ environment: { PGPASSWORD: 'hunter2', WALG_FILE_PREFIX: '/x' } })
    expect(redact(settingsTable, parsed.settings)).toMatchObject({
      PGPASSWORD: HIDDEN,
      WALG_FILE_PREFIX: '/x',
      WALTZ_WAL_WAIT_TIMEOUT: '60000ms',
    })
    const lines = describeSettings(settingsTable, parsed)
    expect(lines).toContain('WALG_FILE_PREFIX=/x (environment)')
    expect(lines).toContain('PGPASSWORD=(hidden) (environment)')
    expect(lines.join('\n')).not.toContain('hunter2')
  })
})

describe('createSettings', () => {
  it('fills in the defaults and checks the given values', () => {
    const settings = createSettings(settingsTable, {
      filePrefix: '/x',
      walWaitTimeout: 1500,
      verifyPageChecksums: true,
      pgWalSize: undefined,
    })
    expect(settings).toMatchObject({ filePrefix: '/x', walWaitTimeout: 1500, verifyPageChecksums: true, uploadQueue: 2 })
    expect(() => createSettings(settingsTable, { uploadQueue: 0 })).toThrow('must be a whole number')
    expect(() => createSettings(settingsTable, { prefetchDir: '/x' } as object)).toThrow('prefetchDir is not a setting')
  })
})

describe('withTurbo', () => {
  it('takes the limits away', () => {
    const settings = createSettings(settingsTable, { networkRateLimit: 5, diskRateLimit: 6, uploadDiskConcurrency: 1, uploadQueue: 9 })
    expect(withTurbo(settings)).toMatchObject({
      networkRateLimit: undefined,
      diskRateLimit: undefined,
      uploadDiskConcurrency: 4,
      uploadQueue: 9,
    })
  })
})
