// Turns away viewers whose certificate has been revoked. The keys of the store are serial numbers in
// hexadecimal digits without colons; a value says why, for the log.
import cf from 'cloudfront';

const kvs = cf.kvs();

async function connectionHandler(connection) {
    if (!connection.clientCertificate) {
        // Where certificates are optional, there may be none.
        return connection.allow();
    }
    const leaf = connection.clientCertificate.certificates.leaf;
    const serial = leaf.serialNumber.replaceAll(':', '');
    if (await kvs.exists(serial)) {
        const why = await kvs.get(serial);
        console.log(`${leaf.subject} is revoked: ${why}`);
        connection.logCustomData(`REVOKED:${serial}:${why}`);
        return connection.deny();
    }
    connection.allow();
}
