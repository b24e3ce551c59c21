import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { machineClock } from '../../src/ground/clock.js'
import { networkOf } from '../../src/ground/ip-addresses.js'
import { AddressLimit } from '../../src/limits/rate-limits.js'
import { Metrics } from '../../src/metrics.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void // what the flag adds

t.test('a flood of addresses takes a bounded memory, whatever they were cut out of', async t => {
  const limit = new AddressLimit({ perMinute: 5, clock: machineClock({ uptime: () => 0 }), metrics: new Metrics() })
  const heap = () => {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const before = heap()
  const flood = (count: number) => {
    for (let index = 0; index < count; index += 1) {
      const header = `${'x'.repeat(1000)}2001:db8:${(index >> 8).toString(16)}:${(index & 255).toString(16)}::1`
      limit.admit(header.slice(1000), () => undefined)
    }
  }
  flood(100_000)
  const grown = heap() - before
  flood(190_000) // of which the last is 2001:db8:2e6:2f::1
  const later = heap() - before
  const headers = 100_000 * 1000
  t.ok(
    grown < headers / 10,
    `what 100,000 take is ${((100 * grown) / headers).toFixed(1)} % of what they were cut out of`,
  )
  t.ok(later < 1.5 * grown, `190,000 more take ${(later / grown).toFixed(1)} times as much, and not 2.9 times`)
  const last = () => limit.admit('2001:db8:2e6:2f::1', () => undefined)
  for (let count = 0; count < 4; count += 1) last()
  t.throws(last, /Too many requests/, 'those of now are counted')
})

t.test('one caller is one IPv4 address, or 64 bits of an IPv6 address', async t => {
  const same = [
    ['192.0.2.7', '::ffff:192.0.2.7', '192.0.2.7:4711', '::ffff:c000:207'],
    ['2001:db8:1:2::1', '2001:DB8:1:2:ffff:ffff:ffff:ffff', '[2001:db8:1:2::7]:443', '2001:0db8:0001:0002::9%eth0'],
    ['2001:db8::1', '2001:db8:0:0:1::', '2001:db8::ffff:0:0:1'],
    ['::1', '::2', '0::ffff:1'],
    ['unknown', '_hidden', '', 'x'.repeat(9000), '1.2.3.256'],
  ]
  const networks = same.map(texts => new Set(texts.map(networkOf)))
  for (const [index, network] of networks.entries()) t.equal(network.size, 1, `${same[index]?.[0]}`)
  const others = ['192.0.2.8', '2001:db8:1:3::1', '2001:db8:1::', '1:2:3:4::', '0.0.0.0'].map(networkOf)
  t.equal(new Set([...networks.flatMap(network => [...network]), ...others]).size, same.length + others.length)
})
