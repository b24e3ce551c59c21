import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { defineAccounts } from './commands/account-commands.js'
import { PROGRAMS, SHELLS } from './commands/client-variables.js'
import type { CommandContext } from './commands/command-context.js'
import type { CertsOptions } from './commands/make-certs.js'
import type { EnvOptions } from './commands/print-env.js'
import type { PsshOptions } from './commands/print-pssh.js'
import type { TokenOptions } from './commands/print-token.js'
import { SYSTEMS } from './commands/systems.js'
import type { TrustOptions } from './commands/trust-authority.js'
import type { VerifyOptions } from './commands/verify-service.js'
import { ConfigError } from './errors/config-error.js'
import { StatusError } from './errors/public-error.js'
import { builtFile, packageVersion } from './ground/own-package.js'

/** The table of families itself would slow every command. */
const DRM_HELP = 'which tokens: playready, widevine, fairplay, ms3 or bb'

/**
 * Runs the command line and returns its exit code. `serve` returns once the service listens; it then lives until a
 * signal ends the process.
 */
export async function runCommandLine(args: readonly string[], context: CommandContext): Promise<number> {
  let exitCode = 0
  const program = new Command('expressplay-token-backend')
    .description(
      'A token backend compatible with ExpressPlay: PlayReady licence tokens, emulated, or asked of the real service.',
    )
    .version(packageVersion())
    .showHelpAfterError()
    // What follows a command is its own: `env -- program --help` asks the program.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: text => void context.stdout.write(text),
      writeErr: text => void context.stderr.write(text),
    })

  program
    .command('serve')
    .description('start the service')
    .option('-p, --port <number>', 'the port, 0 for a free one (PORT)')
    .option('--host <address>', 'the address to listen on (HOST)')
    .addHelpText(
      'after',
      `
Every setting is an environment variable, or a line in .env: see .env.example.

Examples:
  $ expressplay-token-backend serve
  $ expressplay-token-backend serve --port 0
  $ ACCOUNTS_FILE=accounts.json ENVIRONMENT=production expressplay-token-backend serve`,
    )
    .action(async ({ port, host }: { port?: string; host?: string }) => {
      const [{ main }, { environmentSettings }] = await Promise.all([
        import('./main.js'),
        import('./config/environment-settings.js'),
      ])
      exitCode = await main(warn => {
        const settings = environmentSettings(context.env, warn)
        return { ...settings, PORT: port ?? settings.PORT, HOST: host ?? settings.HOST }
      }, context)
    })

  program
    .command('token')
    .description('ask a server for a token and print its answer')
    .argument('[parameters...]', 'parameters as name=value; without any, a sample for the demo account')
    .option('--drm <name>', DRM_HELP, 'playready')
    .option('-u, --url <url>', 'the server; without it the one that these settings would start')
    .option('--post', 'send them as a form, not in the query')
    .addHelpText(
      'after',
      `
Examples:
  $ expressplay-token-backend token
  $ expressplay-token-backend token rightsType=Rental generalFlags=00000001 rental.periodEndTime=+3600
  $ expressplay-token-backend token --drm fairplay kid rentalDuration=3600
  $ expressplay-token-backend token --url https://pr-gen.test.expressplay.com customerAuthenticator=… kid=… …

Parameters that you give replace those of the sample; name= (empty) sends an empty value, name alone leaves it out.
What may be repeated is sent as often as you give it.
Exit code 0 when a token was issued, 1 when it was refused, 2 when there was no answer.`,
    )
    .action(async (parameters: string[], options: TokenOptions) => {
      const { printToken } = await import('./commands/print-token.js')
      exitCode = await printToken(parameters, options, context)
    })

  program
    .command('inspect')
    .description('open a token of ours and print what it says')
    .argument('<token>', 'the token or the answer that holds it, or - to read it from standard input')
    .option('--show-keys', 'print the content keys, which are masked otherwise')
    .addHelpText(
      'after',
      `
The keys are those that the server used: TOKEN_KEYS, or the file token.keys in DATA_DIR.

Examples:
  $ expressplay-token-backend inspect CAADE_sAAAAAJDdh…
  $ expressplay-token-backend token | expressplay-token-backend inspect - --show-keys`,
    )
    .action(async (token: string, options: { showKeys?: true }) => {
      const { inspectToken } = await import('./commands/inspect-token.js')
      exitCode = await inspectToken(token, options, context)
    })

  defineAccounts(program.command('accounts'), context, code => {
    exitCode = code
  })

  program
    .command('pssh')
    .description('print what signals the protection of content: PlayReady header, pssh boxes, DASH elements, HLS lines')
    .argument('<keys...>', 'KIDs of 32 hex digits or ^string; kid:contentKey adds the checksum to a PlayReady header')
    .option('-s, --scheme <scheme>', 'how the content is encrypted: cenc or cbcs', 'cenc')
    .option('--license-url <url>', 'LA_URL of the PlayReady header; without it that of a token from these settings')
    .option('--clear-key-url <url>', 'where Clear Key clients ask; without it the server of these settings')
    .option('--https', 'https in the URLs that are not given')
    .addOption(new Option('--http', 'http in the URLs that are not given').conflicts('https'))
    .option('--provider <text>', 'the provider in the Widevine pssh')
    .option('--content-id <text>', 'the content id in the Widevine pssh')
    .option('--mpd', 'print the ContentProtection elements alone, a group for each key')
    .addOption(new Option('--hls', 'print the EXT-X-KEY lines alone, a group for each key').conflicts('mpd'))
    .addHelpText(
      'after',
      `
Examples:
  $ expressplay-token-backend pssh b366360da82e9c6e0b0984002a362cf2
  $ expressplay-token-backend pssh --scheme cbcs --mpd ^video ^audio
  $ expressplay-token-backend pssh --scheme cbcs --hls --provider intertrust --content-id movie-4711 ^video
  $ expressplay-token-backend pssh b366360da82e9c6e0b0984002a362cf2:00112233445566778899aabbccddeeff

Nothing is sent anywhere. POST /tools/pssh of a server gives the same answer.
Exit code 0, or 1 when a key or a URL is wrong.`,
    )
    .action(async (keys: string[], options: PsshOptions) => {
      const { printPssh } = await import('./commands/print-pssh.js')
      exitCode = printPssh(keys, options, context)
    })

  program
    .command('verify')
    .description(
      'send the error table and the published samples to a service, and print where it differs from the spec',
    )
    .option('--upstream <url>', 'the service: the real one, or an emulator')
    .option('--drm <name>', DRM_HELP, 'playready')
    .option('--authenticator <id,hex>', 'the account that asks, in the environment of that service')
    .option('--production-authenticator <id,hex>', 'its authenticator of the other environment, to be refused here')
    .option(
      '--account <trait=id,hex>',
      'an account that is disabled, no-drm, never-drm, no-balance, strict or unbound; repeatable',
      collect,
      [],
    )
    .option('--customer <id>', 'the customer in the tokens: behind a gateway it is that of the other service')
    .option('--licence-host <name>', 'the host in licence URLs: behind a gateway it is that of the other service')
    .option('--free', 'send only what is to be refused, and so costs no token')
    .option('--timeout <seconds>', 'how long to wait for an answer', '10')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
An authenticator that is - is read from standard input, a line for each in the order above: other users of this
machine see the options of a command.

Examples:
  $ expressplay-token-backend verify --upstream https://pr-gen.test.expressplay.com --authenticator - --free < key.txt
  $ expressplay-token-backend verify --upstream http://127.0.0.1:8080 \\
      --authenticator 201722,1ad8eed133edf43cbcc185f0236828ae

Exit code 0 when nothing differs, 1 when something does, 2 when there was no answer or an option is wrong.`,
    )
    .action(async (options: VerifyOptions) => {
      const { verifyService } = await import('./commands/verify-service.js')
      exitCode = await verifyService(options, context)
    })

  program
    .command('migrate')
    .description("bring the database to this version's tables, which serve does as well")
    .addHelpText(
      'after',
      `
The database is DATABASE_URL. Instances that start together need no migration before them: one of them does it.

Examples:
  $ expressplay-token-backend migrate
  $ DATABASE_URL=postgres://drm@db.example.com/drm expressplay-token-backend migrate`,
    )
    .action(async () => {
      const { migrateDatabase } = await import('./commands/migrate-database.js')
      exitCode = await migrateDatabase(context)
    })

  const certs = program
    .command('certs')
    .description('make a development authority and certificates by it, to try mutual TLS with the entitlement service')
    .option('-d, --dir <folder>', 'where they are written', 'certs')
    .option(
      '--host <name>',
      'a name or address of the server; repeatable (default: localhost, 127.0.0.1, ::1)',
      collect,
    )
    .option('--client <name>', 'a client, and its files; repeatable (default: player, in client.pem)', collect)
    .option('--days <number>', 'how long they are valid; the authority 10 years at least', '365')
    .option('--force', 'replace the files of the server or the clients that are asked for')
    .addHelpText(
      'after',
      `
Writes ca.pem, server.pem and client.pem, and the private key of each: ca.key.pem and so on, for their owner alone.
An authority in the folder is used again and never replaced; with one, --host makes only a server's certificate and
--client only a client's. Nothing is replaced without --force.

Examples:
  $ expressplay-token-backend certs
  $ expressplay-token-backend certs --client licence-server
  $ expressplay-token-backend certs --host sees.example.com --host 192.0.2.7 --force
  $ ENTITLEMENT_PORT=8443 ENTITLEMENT_CLIENT_CA=certs/ca.pem ENTITLEMENT_TLS_CERT=certs/server.pem \\
      ENTITLEMENT_TLS_KEY=certs/server.key.pem CATALOGUE_FILE=catalogue.json expressplay-token-backend serve
  $ curl --cacert certs/ca.pem --cert certs/client.pem --key certs/client.key.pem https://localhost:8443/entitlement \\
      -H 'Content-Type: application/json' -d '{"messageID":"b9ed7ba1-1d94-4f6b-a0a4-6a7c1d3e2f10","version":1,
      "contentID":"3f2504e0-4f89-11d3-9a0c-0305e82c3301"}'

Exit code 0 when they were made, 1 when an option is wrong or a file is in the way.`,
    )
    .action(async (options: CertsOptions) => {
      const { makeCerts } = await import('./commands/make-certs.js')
      exitCode = await makeCerts(options, context)
    })

  certs
    .command('trust')
    .description("print what makes the operating system trust the server's authority")
    .option('-u, --url <url>', 'the server; without it the one that these settings would start')
    .addOption(new Option('--system <system>', 'instead of that of this machine').choices(SYSTEMS))
    .option('--install', 'run it on this system')
    .addOption(new Option('--uninstall', 'take it back in the same way').conflicts('install'))
    .addHelpText(
      'after',
      `
The authority is that of TLS=development and of the proxy, not that of certs. It may sign for the real service's names and
local ones only. Java, Node, Firefox and Python's requests have lists of their own: see env.

Examples:
  $ expressplay-token-backend certs trust
  $ expressplay-token-backend certs trust --install
  $ expressplay-token-backend certs trust --url http://127.0.0.1:8080 --system macos
  $ expressplay-token-backend certs trust --uninstall

Exit code 0 when it was printed or done, 1 when it was not done, 2 when the server did not answer.`,
    )
    .action(async (options: TrustOptions) => {
      const { trustAuthority } = await import('./commands/trust-authority.js')
      exitCode = await trustAuthority(options, context)
    })

  program
    .command('env')
    .description('point existing programs at a server: print the variables, or run a command with them')
    .argument('[command...]', 'what to run; without one the variables are printed')
    .addOption(new Option('--for <program>', 'only what this one reads').choices(PROGRAMS))
    .addOption(new Option('--shell <shell>', 'how they are printed').choices(SHELLS).default('sh'))
    .option('-u, --url <url>', 'the server; without it a new emulator for the command, or that of these settings')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
The programs need no change: they ask https://pr-gen.test.expressplay.com as ever, a proxy takes them to the emulator,
and they trust its authority. A command gets an emulator of its own on free ports, in memory unless DATA_DIR is set, which
ends with it. With --url the server's host and PROXY_PORT name the proxy.

Examples:
  $ expressplay-token-backend env -- python3 storefront_test.py
  $ expressplay-token-backend env -- npm test
  $ eval "$(PROXY_PORT=8888 expressplay-token-backend env)"
  $ PROXY_PORT=8888 expressplay-token-backend env --url http://drm:8080 --for java -- mvn verify
  $ expressplay-token-backend env --shell fish | source
  $ expressplay-token-backend env --shell powershell | Out-String | Invoke-Expression

Exit code: that of the command, 128 + n if signal n ended it, 127 if there is none; 2 when the server did not answer.`,
    )
    .action(async (command: string[], options: EnvOptions) => {
      const { printEnv } = await import('./commands/print-env.js')
      exitCode = await printEnv(command, options, context)
    })

  const catalogue = program.command('catalogue').description('check a catalogue file, and print the schema of one')

  catalogue
    .command('check')
    .description('say what a catalogue holds, or every fault of it with its line')
    .argument('<file>', 'the file that CATALOGUE_FILE shall name')
    .addHelpText(
      'after',
      `
Examples:
  $ expressplay-token-backend catalogue check catalogue.json

Exit code 0 when it is in order, 1 when it is broken. No value of the file is printed: it may be a key.`,
    )
    .action(async (file: string) => {
      const { checkCatalogue } = await import('./commands/check-catalogue.js')
      exitCode = await checkCatalogue(file, context)
    })

  catalogue
    .command('schema')
    .description('print the JSON schema of a catalogue, for editors')
    .addHelpText(
      'after',
      `
Examples:
  $ expressplay-token-backend catalogue schema > catalogue.schema.json`,
    )
    .action(async () => {
      const { printCatalogueSchema } = await import('./commands/check-catalogue.js')
      printCatalogueSchema(context)
    })

  program
    .command('health')
    .description('exit with 0 if the server on this machine is ready: for container health checks')
    .action(async () => {
      const { checkHealth } = await import('./commands/check-health.js')
      exitCode = await checkHealth(context)
    })

  program
    .command('openapi')
    .description('print the OpenAPI document of the service, for client generators')
    .addHelpText(
      'after',
      `
Examples:
  $ expressplay-token-backend openapi > openapi.json
  $ npx openapi-typescript openapi.json -o client.d.ts`,
    )
    .option('--entitlement', 'that of the entitlement service')
    .action(({ entitlement }: { entitlement?: true }) => {
      const document: unknown = JSON.parse(
        readFileSync(builtFile(entitlement ? 'openapi-entitlement.json' : 'openapi.json'), 'utf8'),
      )
      context.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    // Help, or a command line that commander refused and has explained.
    if (error instanceof CommanderError) return error.exitCode
    if (error instanceof ConfigError || error instanceof StatusError) {
      context.stderr.write(`${error.message}\n`)
      return 1
    }
    throw error
  }
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}
