// An OpenID provider that is not ours (the npm package oidc-provider), for one test run.
//
// Binds a port of its own on 127.0.0.1 and says {"issuer"} on a line; waits for a line {"clients", "methods"} and says
// {"ready": true}. The clients come second because their redirect URIs hold the port of the server under test.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const PEOPLE = {
  ada: { email: 'ada@example.org', email_verified: true, name: 'Ada Lovelace' },
  grace: { email: 'grace@example.org', email_verified: true, name: 'Grace Hopper' },
};

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(JSON.stringify({ issuer }));

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { clients } = JSON.parse((await lines.next()).value);

const provider = new Provider(issuer, {
  clients,
  claims: { openid: ['sub', 'sid'], email: ['email', 'email_verified'], profile: ['name'] },
  cookies: { keys: ['for one test run'] },
  features: { backchannelLogout: { enabled: true } },
  pkce: { required: () => true },
  // Its own refuses this very machine, where the server under test is.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) }),
});
for (const event of ['server_error', 'backchannel.error', 'grant.error', 'authorization.error']) {
  provider.on(event, (...details) => console.error(event, ...details.filter((one) => one instanceof Error)));
}
server.on('request', provider.callback());
console.log(JSON.stringify({ ready: true }));

await lines.next(); // until standard input is closed
process.exit(0);
