import { describe, expect, it } from 'vitest'
import { initForkNode, isDatabaseFolder, isDroppedFile, isEmptied } from '../../src/push/exclusions.ts'

const database = (...unlogged: string[]): Parameters<typeof isDroppedFile>[0] => ({
  name: '/base/5',
  database: true,
  unlogged: new Set(unlogged),
})
const elsewhere = (name: string): Parameters<typeof isDroppedFile>[0] => ({ name, database: false, unlogged: new Set(['16384']) })

describe('folders', () => {
  it.each([
    'log',
    'pg_log',
    'pg_xlog',
    'pg_wal',
    'pgsql_tmp',
    'pg_dynshmem',
    'pg_notify',
    'pg_replslot',
    'pg_serial',
    'pg_stat_tmp',
    'pg_snapshots',
    'pg_subtrans',
  ])('%s is kept empty', (name) => expect(isEmptied(name)).toBe(true))
  it.each([
    'pg_xact',
    'pg_multixact',
    'pg_logical',
    'pg_twophase',
    'pg_commit_ts',
    'pg_stat',
    'pg_tblspc',
    'base',
    'global',
    'log2',
    'PG_WAL',
  ])('%s is kept with its contents', (name) => expect(isEmptied(name)).toBe(false))
  it.each([
    ['/base/5', true],
    ['/pg_tblspc/16400/PG_17_202406281/5', true],
    ['/pg_tblspc/in_place/PG_17_202406281/16384', true],
    ['/base', false],
    ['/base/5/x', false],
    ['/base/pgsql_tmp', false],
    ['/global', false],
    ['/pg_tblspc/16400/5', false],
    ['/x/base/5', false],
  ])('%s holds the relations of a database: %s', (name, expected) => expect(isDatabaseFolder(name)).toBe(expected))
})

describe('files', () => {
  it.each([
    'postmaster.pid',
    'postmaster.opts',
    'postgresql.auto.conf.tmp',
    'current_logfiles.tmp',
    'recovery.conf',
    'standby.signal',
    'pg_internal.init',
    'pg_internal.init.4711',
    'pgsql_tmp4711.0',
    'pgsql_tmp',
  ])('%s is left out wherever it is', (name) => {
    for (const folder of [elsewhere('/'), elsewhere('/global'), elsewhere('/some/where'), database()])
      expect(isDroppedFile(folder, name)).toBe(true)
  })
  it.each(['backup_label', 'tablespace_map', 'backup_manifest'])('%s is left out at the top only', (name) => {
    expect(isDroppedFile(elsewhere('/'), name)).toBe(true)
    expect(isDroppedFile(elsewhere('/kept'), name)).toBe(false)
  })
  it.each([
    'recovery.signal',
    'backup_label.old',
    'current_logfiles',
    'postgresql.conf',
    'postgresql.auto.conf',
    'pg_hba.conf',
    'PG_VERSION',
    'server.key',
    'postmaster.pid.old',
  ])('%s is kept', (name) => expect(isDroppedFile(elsewhere('/'), name)).toBe(false))
  it.each([
    ['t3_16384', true],
    ['t12_16384_fsm', true],
    ['t12_16384_vm.3', true],
    ['t3_16384x', false],
    ['t_16384', false],
    ['table', false],
  ])('temporary relations: %s %s', (name, expected) => {
    expect(isDroppedFile(database(), name)).toBe(expected)
    expect(isDroppedFile(elsewhere('/other'), name)).toBe(false)
  })
  it.each([
    ['16384', true],
    ['16384.1', true],
    ['16384_fsm', true],
    ['16384_vm.2', true],
    ['16384_init', false],
    ['16384_init.1', false],
    ['163840', false],
    ['6384', false],
    ['16385', false],
  ])('unlogged relations keep their init fork only: %s %s', (name, expected) => {
    expect(isDroppedFile(database('16384'), name)).toBe(expected)
    expect(isDroppedFile(elsewhere('/global'), name)).toBe(false)
  })
  it.each([
    ['16384_init', '16384'],
    ['16384_init.1', '16384'],
    ['16384', undefined],
    ['x_init', undefined],
    ['16384_initial', undefined],
  ])('%s is the init fork of %s', (name, node) => expect(initForkNode(name)).toBe(node))
})
