import { describe, expect, it } from 'vitest'
import { describeTarget, parseRecoveryFlags } from '../src/restore/recovery-target.ts'

const utc = (): number => 0

describe('parseRecoveryFlags', () => {
  it('asks for nothing when no flag is given', () => {
    expect(parseRecoveryFlags({}, utc)).toBeUndefined()
    expect(parseRecoveryFlags({ standby: false, keepArchiving: true }, utc)).toBeUndefined()
  })

  it('fills in the defaults of PostgreSQL', () => {
    expect(parseRecoveryFlags({ lsn: '1/A0' }, utc)).toEqual({
      target: { kind: 'lsn', lsn: 0x1_0000_00a0n },
      timeline: 'latest',
      inclusive: true,
      action: 'pause',
      standby: false,
      keepArchiving: false,
    })
  })

  it('takes every flag', () => {
    const request = parseRecoveryFlags(
      { xid: '0042', timeline: '0x1F', action: 'promote', inclusive: 'off', standby: true, keepArchiving: true },
      utc,
    )
    expect(request).toEqual({
      target: { kind: 'xid', xid: '42' },
      timeline: 31,
      inclusive: false,
      action: 'promote',
      standby: true,
      keepArchiving: true,
    })
  })

  it.each([[{ standby: true }], [{ timeline: '3' }], [{ timeline: 'current' }]])('%j goes to the end of the WAL', (flags) => {
    expect(parseRecoveryFlags(flags, utc)?.target).toEqual({ kind: 'end' })
  })

  it.each([
    [{ time: '2026-01-01', lsn: '0/1' }, '--target-time and --target-lsn exclude each other'],
    [{ name: 'x', immediate: true }, '--target-name and --target-immediate exclude each other'],
    [{ lsn: 'zero' }, "'zero' is not an LSN"],
    [{ xid: '-1' }, 'not a transaction number'],
    [{ xid: '18446744073709551616' }, 'not a transaction number'],
    [{ name: '' }, 'restore point'],
    [{ name: 'x'.repeat(64) }, 'restore point'],
    [{ name: "a\nrestore_command = 'rm'" }, 'restore point'],
    [{ lsn: '0/1', timeline: 'newest' }, "'newest' is not a timeline"],
    [{ lsn: '0/1', timeline: '0' }, "'0' is not a timeline"],
    [{ lsn: '0/1', action: 'stop' }, "'stop' is not an action"],
    [{ lsn: '0/1', inclusive: 'maybe' }, 'neither true nor false'],
    [{ action: 'promote' }, '--target-action needs a target'],
    [{ inclusive: 'true' }, '--target-inclusive needs a target'],
  ])('%j is refused', (flags, message) => {
    expect(() => parseRecoveryFlags(flags, utc)).toThrow(message)
    expect(() => parseRecoveryFlags(flags, utc)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'RECOVERY_TARGET_INVALID' }))
  })

  it('describes each target', () => {
    const told = [{ time: '2026-01-01T10:00Z' }, { lsn: '0/3000028' }, { xid: '7' }, { name: 'rp1' }, { standby: true }].map((flags) =>
      describeTarget(parseRecoveryFlags(flags, utc)?.target ?? { kind: 'end' }),
    )
    expect(told).toEqual([
      'time 2026-01-01 10:00:00+00:00',
      'LSN 0/3000028',
      'transaction 7',
      "restore point 'rp1'",
      'the end of the archived WAL',
    ])
  })
})
