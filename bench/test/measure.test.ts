import { describe, expect, test } from 'vitest'
import { measure } from '../src/meter/measure.ts'
import { pipeline } from '../src/shell.ts'

describe('measuring a command', () => {
  test('counts the whole tree: CPU of children that ended, memory of those that lived together', async () => {
    const burn = `perl -e 'my $x = "x" x 30_000_000; my $end = (times)[0] + 0.15; 1 while (times)[0] < $end'`
    const sample = await measure(pipeline(`${burn} | ${burn}`), undefined)
    expect(sample.cpuMs).toBeGreaterThan(280)
    expect(sample.wallMs).toBeGreaterThan(140)
    expect(sample.peakRssBytes).toBeGreaterThan(60_000_000)
    expect(sample.serverCpuMs).toBe(0)
  })

  test('sleeping is not working', async () => {
    const { wallMs, cpuMs } = await measure({ argv: ['sleep', '0.2'] }, undefined)
    expect(wallMs).toBeGreaterThan(199)
    expect(cpuMs).toBeLessThan(100)
  })

  test.each([
    [pipeline('false | cat'), /exit 1/],
    [pipeline('echo so it goes >&2; exit 7'), /exit 7\nso it goes/],
    [{ argv: ['/no/such/program'] }, /No such file/],
  ])('a command that fails is no figure', async (command, message) => {
    await expect(measure(command, undefined)).rejects.toThrow(message)
  })
})
