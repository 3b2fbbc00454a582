from aws_lambda_powertools.event_handler import ALBResolver
from routes import serve

# Values are encoded in queries of load balancers.
handler = serve(ALBResolver(decode_query_parameters=True))
