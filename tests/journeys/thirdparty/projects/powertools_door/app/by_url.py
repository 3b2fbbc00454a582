from aws_lambda_powertools.event_handler import CORSConfig, LambdaFunctionUrlResolver
from routes import serve

handler = serve(LambdaFunctionUrlResolver(cors=CORSConfig("https://shop.example")))
